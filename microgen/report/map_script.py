"""Script of the viewer of a plane: pictures of the map that can be moved, magnified and exchanged."""

from __future__ import annotations

MAP_SCRIPT = r"""
const $=id=>document.getElementById(id),D=DATA,stage=$('view');let zoom=1,x=0,y=0,way=D.ways[0];
const clamp=(v,a,b)=>Math.min(Math.max(v,a),b);
function place(){const fit=Math.min(stage.clientWidth/D.pixels[0],stage.clientHeight/D.pixels[1]),s=fit*zoom;
for(const e of stage.querySelectorAll('img')){e.style.width=D.pixels[0]*s+'px';e.style.height=D.pixels[1]*s+'px';
e.style.left=stage.clientWidth/2-D.pixels[0]*s/2+x+'px';e.style.top=stage.clientHeight/2-D.pixels[1]*s/2+y+'px';
e.style.imageRendering=s>2?'pixelated':'auto'}
const micrometres=D.width/(D.pixels[0]*s);let l=10**Math.floor(Math.log10(120*micrometres));
for(const m of [5,2])if(m*l<=120*micrometres){l*=m;break}
$('bar').style.width=l/micrometres+'px';
$('bar').textContent=l>=1000?+(l/1000).toPrecision(2)+' mm':l>=1?+l.toPrecision(2)+' \u00b5m':+(l*1000).toPrecision(
2)+' nm'}
function show(){for(const e of stage.querySelectorAll('img[data-way]'))e.hidden=e.dataset.way!==way;
const lines=stage.querySelector('img.lines');if(lines)lines.hidden=!$('lines').checked;
document.querySelectorAll('[data-key]').forEach(e=>{e.hidden=!e.dataset.key.split(' ').includes(way)});place()}
function magnify(factor,cx,cy){const next=clamp(zoom*factor,.5,80),f=next/zoom;
const ox=cx-stage.clientWidth/2,oy=cy-stage.clientHeight/2;x=ox-(ox-x)*f;y=oy-(oy-y)*f;zoom=next;place()}
const choice=$('way');D.ways.forEach(w=>choice.add(new Option(D.names[w],w)));
if(D.ways.length<2)choice.parentElement.hidden=true;choice.onchange=()=>{way=choice.value;show()};
if(stage.querySelector('img.lines'))$('lines').onchange=show;else $('lines').parentElement.hidden=true;
$('whole').onclick=()=>{zoom=1;x=y=0;place()};
const fingers=new Map();
stage.onpointerdown=e=>{stage.setPointerCapture(e.pointerId);fingers.set(e.pointerId,[e.clientX,e.clientY])};
stage.onpointermove=e=>{const old=fingers.get(e.pointerId);if(!old)return;
const far=()=>{const [p,q]=[...fingers.values()];return Math.hypot(p[0]-q[0],p[1]-q[1])};
const two=fingers.size===2,before=two?far():1;fingers.set(e.pointerId,[e.clientX,e.clientY]);
x+=(e.clientX-old[0])/fingers.size;y+=(e.clientY-old[1])/fingers.size;
if(two){const b=stage.getBoundingClientRect(),[p,q]=[...fingers.values()];
magnify(far()/Math.max(before,1),(p[0]+q[0])/2-b.left,(p[1]+q[1])/2-b.top)}place()};
stage.onpointerup=stage.onpointercancel=e=>fingers.delete(e.pointerId);
stage.addEventListener('wheel',e=>{e.preventDefault();const b=stage.getBoundingClientRect();
magnify(Math.exp(-e.deltaY*.0015),e.clientX-b.left,e.clientY-b.top)},{passive:false});
stage.onkeydown=e=>{const step={ArrowLeft:[40,0],ArrowRight:[-40,0],ArrowUp:[0,40],ArrowDown:[0,-40]}[e.key];
if(step){x+=step[0];y+=step[1];place()}else if(e.key==='+'||e.key==='-')
magnify(e.key==='+'?1.25:.8,stage.clientWidth/2,stage.clientHeight/2);else return;e.preventDefault()};
const wish=new URLSearchParams(location.hash.slice(1));
if(D.ways.includes(wish.get('color')))choice.value=way=wish.get('color');
new ResizeObserver(place).observe(stage);show();document.body.dataset.ready='yes';
"""
