"""Style and script of the page of an atlas; the script reads `DATA` (see `atlas_page`) and nothing else."""

from __future__ import annotations

ATLAS_STYLE = """
main{max-width:1320px}
.atlas{display:grid;grid-template-columns:minmax(0,1.55fr) minmax(300px,1fr);gap:20px;
margin-top:1.2rem;align-items:start}
.map canvas{display:block;width:100%;aspect-ratio:1.12;cursor:crosshair;outline-offset:4px}
.bar{display:flex;flex-wrap:wrap;gap:.5rem 1.3rem;align-items:center;margin-bottom:.6rem;font-size:.92rem}
select,button{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--rule);border-radius:7px;
padding:.2rem .5rem}
button{cursor:pointer}
#ends{display:flex;align-items:center;gap:.5rem;margin-left:auto}
#ramp{display:inline-block;width:110px;height:10px;border-radius:5px}
.entry{position:sticky;top:14px}
.entry img{display:block;width:min(100%,264px);margin:.3rem auto .6rem}
.entry td,.entry th{padding:.16rem .5rem}
.entry tr.on td{color:var(--made);font-weight:600}
.entry .command{font-size:.78rem;white-space:normal;overflow-wrap:anywhere;max-height:none;margin:.5rem 0}
.entry dl{margin-bottom:.6rem;font-size:.92rem}
@media(max-width:860px){.atlas{grid-template-columns:minmax(0,1fr)}.entry{position:static}}
"""

SCRIPT = r"""
const P=DATA.points,S=DATA.statistics,$=id=>document.getElementById(id);
const canvas=$('map'),ctx=canvas.getContext('2d'),choice=$('statistic'),asPictures=$('pictures');
const RAMP=[[68,1,84],[72,40,120],[62,74,137],[49,104,142],[38,130,142],[31,158,137],[53,183,121],[110,206,88],
[181,222,43],[253,231,37]];
let column=0,kept=0,shown=0,places=[];
S.forEach((s,k)=>choice.add(new Option(s.label,k)));
const images=P.map(p=>{const i=new Image();if(p.png)i.src='data:image/png;base64,'+p.png;return i});
const text=v=>v===null?'\u2013':String(+v.toPrecision(4)).replace('-','\u2212');
function colour(t){const x=Math.min(Math.max(t,0),1)*(RAMP.length-1),k=Math.min(Math.floor(x),RAMP.length-2),f=x-k;
return 'rgb('+RAMP[k].map((a,j)=>Math.round(a+(RAMP[k+1][j]-a)*f)).join(',')+')'}
$('ramp').style.background='linear-gradient(90deg,'+RAMP.map(c=>'rgb('+c+')').join(',')+')';
function limits(){const v=P.map(p=>p.values[column]).filter(v=>v!==null).sort((a,b)=>a-b);
if(!v.length)return[0,1];const at=q=>v[Math.round(q*(v.length-1))];return[at(.03),at(.97)]}
function draw(){const ratio=devicePixelRatio||1,w=canvas.clientWidth,h=canvas.clientHeight;
canvas.width=w*ratio;canvas.height=h*ratio;ctx.setTransform(ratio,0,0,ratio,0,0);ctx.clearRect(0,0,w,h);
const [low,high]=limits(),tile=Math.max(34,Math.min(84,Math.sqrt(w*h/P.length)*.72)),
edge=asPictures.checked?tile/2+4:14;
const r=Math.max(3.5,Math.min(8,Math.sqrt(w*h/P.length)/9)),
soft=getComputedStyle(document.body).getPropertyValue('--soft');
places=P.map(p=>[edge+p.x*(w-2*edge),edge+(1-p.y)*(h-2*edge)]);
$('least').textContent=text(low);$('most').textContent=text(high)+' '+S[column].unit;
P.forEach((p,k)=>{const [x,y]=places[k],v=p.values[column];
const fill=v===null?'transparent':colour(high>low?(v-low)/(high-low):.5);
if(asPictures.checked&&images[k].naturalWidth){const s=tile/images[k].naturalWidth,t=images[k].naturalHeight*s;
ctx.drawImage(images[k],x-tile/2,y-t/2,tile,t);ctx.fillStyle=fill;ctx.beginPath();ctx.arc(x,y+t/2,4,0,7);ctx.fill();return}
ctx.beginPath();ctx.arc(x,y,r,0,7);ctx.fillStyle=fill;ctx.fill();ctx.lineWidth=.8;ctx.strokeStyle=soft;ctx.stroke()});
for(const [k,width] of [[shown,1.5],[kept,3]]){const [x,y]=places[k];ctx.beginPath();
ctx.arc(x,y,asPictures.checked?tile/2:r+4,0,7);ctx.lineWidth=width;
ctx.strokeStyle=getComputedStyle(document.body).getPropertyValue('--made');ctx.stroke()}}
function tell(k){shown=k;const p=P[k],rows=S.map((s,j)=>
'<tr'+(j===column?' class="on"':'')+'><td>'+s.label+'</td><td>'+
text(p.values[j])+'</td><td>'+s.unit+'</td></tr>').join('');
const list=(names,values)=>names.map((n,j)=>n+'\u00a0'+text(values[j])).join(', ');
$('entry').innerHTML='<h3>Sample '+p.n+'</h3>'+
(p.png?'<img alt="Sample '+p.n+'" src="data:image/png;base64,'+p.png+'">':'')+
'<dl><dt>mass</dt><dd>'+text(p.mass)+'</dd><dt>coefficients</dt><dd>'+
list(['a20','a11','a02','b10','b01','c'],p.coefficients)+'</dd><dt>reduced</dt><dd>'+
list(['h2','H0','kg','s','p','t','q'],p.reduced)+'</dd>'+
p.notes.map(n=>'<dt>note</dt><dd>'+n+'</dd>').join('')+
'</dl><pre class="command">'+p.command+'</pre><p><button id="copy">Copy the command</button></p>'+
'<div class="scroll"><table><tbody>'+rows+'</tbody></table></div>';
$('copy').onclick=()=>copy(p.command)}
function copy(command){const done=()=>{$('copy').textContent='Copied'};
const old=()=>{const area=document.createElement('textarea');area.value=command;
document.body.append(area);area.select();
if(document.execCommand('copy'))done();area.remove()};
navigator.clipboard?navigator.clipboard.writeText(command).then(done,old):old()}
function nearest(event){const box=canvas.getBoundingClientRect(),x=event.clientX-box.left,y=event.clientY-box.top;
let best=0,least=1e9;places.forEach(([a,b],k)=>{const d=(a-x)**2+(b-y)**2;if(d<least){least=d;best=k}});return best}
function show(k){if(k!==shown){tell(k);draw()}}
canvas.onpointermove=e=>show(nearest(e));canvas.onpointerleave=()=>show(kept);
canvas.onclick=e=>{kept=nearest(e);tell(kept);draw()};
canvas.onkeydown=e=>{const way={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]}[e.key];if(!way)return;
e.preventDefault();const [x,y]=places[kept];let best=-1,least=1e9;places.forEach(([a,b],k)=>{
const along=(a-x)*way[0]+(b-y)*way[1],across=Math.abs((a-x)*way[1])+Math.abs((b-y)*way[0]);
if(along>.5&&along+2*across<least){least=along+2*across;best=k}});if(best>=0){kept=best;tell(kept);draw()}};
choice.onchange=()=>{column=+choice.value;tell(shown);draw()};asPictures.onchange=draw;
new ResizeObserver(draw).observe(canvas);matchMedia('(prefers-color-scheme:dark)').onchange=draw;
Promise.all(images.map(i=>i.decode?i.decode().catch(()=>0):0)).then(draw);
if(location.hash==='#with-pictures')asPictures.checked=true;tell(0);draw();
"""
