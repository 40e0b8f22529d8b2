"""Shader and script of the viewer of a volume: rays through voxels on the graphics card, without any library.

The script reads `DATA` (see `viewer`). Views are parallel, z points down into the material as in all pictures.
"""

from __future__ import annotations

SHADER = r"""#version 300 es
precision highp float;precision highp int;precision highp usampler3D;precision highp sampler3D;
uniform usampler3D labels;uniform sampler3D field;uniform sampler2D palette;
uniform vec3 size,low,high,cut;uniform ivec3 count;uniform mat3 camera;uniform vec2 pixels,centre;
uniform float pixel;uniform int planes,isField,lines,pick,fine;uniform vec3 solid,filled;
out vec4 colour;
const vec3 LIGHT=vec3(.35,.55,-.76),VOID=vec3(.925,.937,.953),INK=vec3(.063,.07,.094);
vec3 n;
int label(ivec3 c){return int(texelFetch(labels,c,0).r);}
float value(vec3 q){return texture(field,q/n).r-.5;}
vec3 paint(int k){return texelFetch(palette,ivec2(k&1023,k>>10),0).rgb;}
float face(int axis){return axis==2?1.:axis==1?.86:.72;}
bool border(vec3 q,ivec3 c,int axis){
for(int j=0;j<3;j++){if(j==axis)continue;float w=.62*pixel*n[j]/size[j];
if(q[j]-w<low[j]||q[j]+w>high[j])return true;
if(lines==0)continue;
for(float s=-1.;s<2.;s+=2.){ivec3 d=c;d[j]=clamp(int(floor(q[j]+s*w)),0,count[j]-1);
int other=label(d);if(other!=0&&other!=label(c))return true;}}
return false;}
vec4 seen(vec3 q,ivec3 c,int axis){int k=label(c);
if(pick==1)return vec4(float(k&255)/255.,float(k>>8)/255.,1.,1.);
return vec4(border(q,c,axis)?INK:paint(k)*face(axis),1.);}
vec3 shade(vec3 q){vec3 h=vec3(1.2),g;
for(int j=0;j<3;j++){vec3 e=vec3(0.);e[j]=h[j];g[j]=(value(q+e)-value(q-e))*n[j]/size[j];}
vec3 up=-normalize(g+1e-9);float hidden=0.;
for(float s=2.;s<9.;s+=2.)hidden+=step(0.,value(q+up*s*n.x/size.x*max(size.x/n.x,max(size.y/n.y,size.z/n.z))))*.25;
return solid*(.28+.76*(.5+.5*dot(up,LIGHT)))*(1.-.6*hidden);}
vec4 capped(int axis,vec3 q){if(pick==1)return vec4(1./255.,0.,1.,1.);
for(int j=0;j<3;j++){if(j==axis)continue;float w=.62*pixel*n[j]/size[j];
if(q[j]-w<low[j]||q[j]+w>high[j])return vec4(INK,1.);}
return vec4(filled*face(axis),1.);}
vec4 slices(vec3 o,vec3 d){float best=1e9;int axis=-1;
for(int j=0;j<3;j++){if(abs(d[j])<1e-6)continue;float t=(cut[j]-o[j])/d[j];vec3 q=o+t*d;bool inside=true;
for(int k=0;k<3;k++)if(k!=j&&(q[k]<0.||q[k]>=n[k]))inside=false;
if(inside&&t<best){if(isField==1||label(clamp(ivec3(floor(j==0?vec3(cut.x,q.yz):j==1?vec3(q.x,cut.y,q.z):vec3(q.xy,
cut.z))),
ivec3(0),count-1))!=0){best=t;axis=j;}}}
if(axis<0)return vec4(0.);
vec3 q=o+best*d;q[axis]=cut[axis];ivec3 c=clamp(ivec3(floor(q)),ivec3(0),count-1);
if(isField==0)return seen(q,c,axis);
float v=value(q);if(pick==1)return vec4(v>0.?1./255.:0.,0.,1.,1.);
return vec4((v>0.?filled:VOID)*face(axis),1.);}
vec4 trace(vec3 o,vec3 d){
if(planes==1)return slices(o,d);
vec3 a=(low-o)/d,b=(high-o)/d,near=min(a,b),far=max(a,b);
float t=max(near.x,max(near.y,near.z)),end=min(far.x,min(far.y,far.z));
if(t>=end)return vec4(0.);
int axis=near.x>=t?0:near.y>=t?1:2;vec3 q=o+t*d;
if(isField==1){if(value(q)>0.)return capped(axis,q);
float step_=.6/max(abs(d.x),max(abs(d.y),abs(d.z))),before=value(q);
for(int i=0;i<4000;i++){float next=min(t+step_,end);float after=value(o+next*d);
if(after>0.){t=mix(t,next,before/(before-after));
return pick==1?vec4(1./255.,0.,1.,1.):vec4(shade(o+t*d),1.);}
if(next>=end)break;t=next;before=after;}
return vec4(0.);}
ivec3 c=clamp(ivec3(floor(q+d*1e-4/length(d))),ivec3(low),max(ivec3(ceil(high))-1,ivec3(low)));
c[axis]=d[axis]>0.?int(floor(low[axis]+1e-4)):int(ceil(high[axis]-1e-4))-1;
ivec3 go=ivec3(sign(d));vec3 delta=abs(1./d);
vec3 next=(vec3(c)+max(sign(d),0.)-o)/d;
for(int i=0;i<4000;i++){if(label(c)!=0){q=o+t*d;return seen(q,c,axis);}
axis=next.x<next.y?(next.x<next.z?0:2):(next.y<next.z?1:2);
t=next[axis];if(t>=end)break;c[axis]+=go[axis];next[axis]+=delta[axis];
if(c[axis]<0||c[axis]>=count[axis])break;}
return vec4(0.);}
void main(){n=vec3(count);vec4 sum=vec4(0.);vec3 d=camera[2]/size*n;d+=vec3(lessThan(abs(d),vec3(1e-6)))*1e-6;
for(int i=0;i<fine;i++)for(int j=0;j<fine;j++){
vec2 at=gl_FragCoord.xy+(vec2(i,j)+.5)/float(fine)-.5;
vec2 s=vec2(at.x-pixels.x/2.,pixels.y/2.-at.y)*pixel-centre;
vec3 p=camera[0]*s.x+camera[1]*s.y-camera[2]*4.;
sum+=trace((p/size+.5)*n,d);}
colour=sum/float(fine*fine);}"""

VOLUME_SCRIPT = r"""
const $=id=>document.getElementById(id),canvas=$('view'),D=DATA,S=D.shape,MOST=Math.max(...D.lengths);
const SIZE=D.lengths.map(l=>l/MOST),START={a:36,e:30,zoom:1,x:0,y:0};let V={...START},way=D.ways[0],kept=null,
waiting=0;
const bytes=text=>Uint8Array.from(atob(text),c=>c.charCodeAt(0));
const unpack=async text=>new Uint8Array(await new Response(new Blob([bytes(text)]).stream()
.pipeThrough(new DecompressionStream('deflate'))).arrayBuffer());
const gl=canvas.getContext('webgl2',{antialias:false,premultipliedAlpha:true});
function fail(words){$('stage').hidden=true;$('still').hidden=false;$('problem').textContent=words}
function program(){const p=gl.createProgram();for(const [kind,text] of [[gl.VERTEX_SHADER,
'#version 300 es\nvoid main(){gl_Position=vec4(gl_VertexID==1?3.:-1.,gl_VertexID==2?3.:-1.,0.,1.);}'],
[gl.FRAGMENT_SHADER,D.shader]]){const s=gl.createShader(kind);gl.shaderSource(s,text);gl.compileShader(s);
if(!gl.getShaderParameter(s,gl.COMPILE_STATUS))throw Error(gl.getShaderInfoLog(s));gl.attachShader(p,s)}
gl.linkProgram(p);if(!gl.getProgramParameter(p,gl.LINK_STATUS))throw Error(gl.getProgramInfoLog(p));gl.useProgram(p);
return p}
let P;const at=name=>gl.getUniformLocation(P,name);
function texture(unit,target,filter){gl.activeTexture(gl.TEXTURE0+unit);gl.bindTexture(target,gl.createTexture());
for(const k of [gl.TEXTURE_WRAP_S,gl.TEXTURE_WRAP_T,gl.TEXTURE_WRAP_R])gl.texParameteri(target,k,gl.CLAMP_TO_EDGE);
for(const k of [gl.TEXTURE_MIN_FILTER,gl.TEXTURE_MAG_FILTER])gl.texParameteri(target,k,filter)}
function colours(){const rgb=D.colours[way],rows=Math.ceil(rgb.length/3/1024),all=new Uint8Array(rows*1024*3);
all.set(rgb);
gl.activeTexture(gl.TEXTURE2);gl.texImage2D(gl.TEXTURE_2D,0,gl.RGB8,1024,rows,0,gl.RGB,gl.UNSIGNED_BYTE,all);
gl.uniform3f(at('solid'),rgb[3]/255,rgb[4]/255,rgb[5]/255);
gl.uniform3f(at('filled'),...D.filled.map(v=>v/255))}
async function load(){
if(!gl)return fail('This browser shows no 3-D graphics (WebGL 2); here is a picture instead.');
if(typeof DecompressionStream==='undefined')return fail(
'This browser is too old to unpack the volume; here is a picture instead.');
if(Math.max(...S)>gl.getParameter(gl.MAX_3D_TEXTURE_SIZE))return fail(
'This graphics card takes no volume so long; here is a picture instead.');
P=program();gl.pixelStorei(gl.UNPACK_ALIGNMENT,1);const raw=await unpack(D.values);
for(const w of D.ways)D.colours[w]=bytes(D.colours[w]);
texture(0,gl.TEXTURE_3D,gl.NEAREST);texture(1,gl.TEXTURE_3D,gl.LINEAR);texture(2,gl.TEXTURE_2D,gl.NEAREST);
gl.activeTexture(gl.TEXTURE0);
if(D.field)gl.texImage3D(gl.TEXTURE_3D,0,gl.R8UI,1,1,1,0,gl.RED_INTEGER,gl.UNSIGNED_BYTE,new Uint8Array(1));
else if(D.wide)gl.texImage3D(gl.TEXTURE_3D,0,gl.R16UI,...S,0,gl.RED_INTEGER,gl.UNSIGNED_SHORT,new Uint16Array(
raw.buffer));
else gl.texImage3D(gl.TEXTURE_3D,0,gl.R8UI,...S,0,gl.RED_INTEGER,gl.UNSIGNED_BYTE,raw);
gl.activeTexture(gl.TEXTURE1);
if(D.field)gl.texImage3D(gl.TEXTURE_3D,0,gl.R8,...S,0,gl.RED,gl.UNSIGNED_BYTE,raw);
else gl.texImage3D(gl.TEXTURE_3D,0,gl.R8,1,1,1,0,gl.RED,gl.UNSIGNED_BYTE,new Uint8Array(1));
gl.uniform1i(at('labels'),0);gl.uniform1i(at('field'),1);gl.uniform1i(at('palette'),2);
colours();controls();new ResizeObserver(()=>draw(true)).observe(canvas);document.body.dataset.ready='yes'}
function camera(){const a=V.a*Math.PI/180,e=V.e*Math.PI/180,ca=Math.cos(a),sa=Math.sin(a),ce=Math.cos(e),se=Math.sin(
e);
return [[ca,-sa,0],[sa*se,ca*se,ce],[-sa*ce,-ca*ce,se]]}
function render(fine,pick){const ratio=canvas.width/canvas.clientWidth,c=camera(),pixel=1.9/V.zoom/Math.min(
canvas.width,canvas.height);
gl.viewport(0,0,canvas.width,canvas.height);gl.clearColor(0,0,0,0);gl.clear(gl.COLOR_BUFFER_BIT);
gl.uniformMatrix3fv(at('camera'),false,c.flat());gl.uniform3fv(at('size'),SIZE);gl.uniform3i(at('count'),...S);
const flat=$('slices').checked,other=$('other').checked,part=['x','y','z'].map(k=>+$(k).value/1000);
const keep=part.map((p,k)=>{const top=(k<2)!==other;return top?[0,Math.max(p,.001)]:[Math.min(p,.999),1]});
gl.uniform3fv(at('low'),flat?[0,0,0]:keep.map((p,k)=>Math.round(p[0]*S[k]*(D.field?8:1))/(D.field?8:1)).map((v,
k)=>Math.min(v,S[k]-1)));
gl.uniform3fv(at('high'),flat?S:keep.map((p,k)=>Math.round(p[1]*S[k]*(D.field?8:1))/(D.field?8:1)).map(v=>Math.max(v,
1)));
gl.uniform3fv(at('cut'),part.map((p,k)=>Math.min(Math.floor(p*S[k]),S[k]-1)+.5));
gl.uniform2f(at('pixels'),canvas.width,canvas.height);gl.uniform2f(at('centre'),V.x,V.y);gl.uniform1f(at('pixel'),
pixel);
gl.uniform1i(at('planes'),+flat);gl.uniform1i(at('isField'),+D.field);gl.uniform1i(at('lines'),+($(
'lines').checked&&D.lines));
gl.uniform1i(at('pick'),+pick);gl.uniform1i(at('fine'),fine);gl.drawArrays(gl.TRIANGLES,0,3);return pixel*ratio*MOST}
function draw(still){const ratio=Math.min(devicePixelRatio||1,2),w=Math.round(canvas.clientWidth*ratio),h=Math.round(
canvas.clientHeight*ratio);
if(!w||!h)return;if(canvas.width!==w||canvas.height!==h){canvas.width=w;canvas.height=h}
const long=render(still?2:1,false);scale(long);triad();clearTimeout(waiting);if(!still)waiting=setTimeout(()=>draw(
true),160)}
let asked=0;function soon(){if(!asked)asked=requestAnimationFrame(()=>{asked=0;draw(false)})}
function scale(micrometres){let l=10**Math.floor(Math.log10(120*micrometres));for(const m of [5,2])if(
m*l<=120*micrometres){l*=m;break}
$('bar').style.width=l/micrometres+'px';$('bar').textContent=l>=1000?+(l/1000).toPrecision(
2)+' mm':l>=1?+l.toPrecision(2)+' \u00b5m':+(l*1000).toPrecision(2)+' nm'}
function triad(){const [r,d]=camera();$('triad').innerHTML=['x','y','z'].map((name,k)=>{const x=40+26*r[k],
y=40+26*d[k];
return '<line x1="40" y1="40" x2="'+x+'" y2="'+y+'"/><text x="'+(40+36*r[k])+'" y="'+(44.5+36*d[k])+'">'+
name+'</text>'}).join('')}
function told(){for(const k of ['x','y','z']){const i='xyz'.indexOf(k),l=+$(k).value/1000*D.lengths[i];
$('at-'+k).textContent=l>=1000?(l/1000).toFixed(2)+' mm':l.toFixed(1)+' \u00b5m'}
document.querySelectorAll('[data-key]').forEach(e=>{e.hidden=!e.dataset.key.split(' ').includes(way)})}
function controls(){const choice=$('way');D.ways.forEach(w=>choice.add(new Option(D.names[w],w)));
choice.onchange=()=>{way=choice.value;colours();told();draw(true)};
if(D.ways.length<2)choice.parentElement.hidden=true;if(!D.lines)$('lines').parentElement.hidden=true;
for(const k of ['x','y','z'])$(k).oninput=()=>{told();soon()};
for(const k of ['solid','slices'])$(k).onchange=()=>{const flat=$('slices').checked,o=$('other');
o.parentElement.hidden=flat;
for(const [i,k] of ['x','y','z'].entries())$(k).value=flat?500:((i<2)!==o.checked?1000:0);told();draw(true)};
$('other').onchange=()=>{for(const k of ['x','y','z'])$(k).value=1000-$(k).value;told();draw(true)};
$('lines').onchange=()=>draw(true);
const looks={'look-x':[-90,0],'look-y':[0,0],'look-z':[0,90],'look-all':[START.a,START.e]};
for(const k in looks)$(k).onclick=()=>{V={...START,a:looks[k][0],e:looks[k][1]};draw(true)};
const fingers=new Map();let moved=0;
canvas.onpointerdown=e=>{canvas.setPointerCapture(e.pointerId);fingers.set(e.pointerId,[e.clientX,e.clientY]);
moved=0};
canvas.onpointermove=e=>{const old=fingers.get(e.pointerId);if(!old)return;const dx=e.clientX-old[0],
dy=e.clientY-old[1];
const unit=1.9/V.zoom/Math.min(canvas.clientWidth,canvas.clientHeight);moved+=Math.abs(dx)+Math.abs(dy);
if(fingers.size===2){const [p,q]=[...fingers.values()],far=Math.hypot(p[0]-q[0],p[1]-q[1]);fingers.set(e.pointerId,
[e.clientX,e.clientY]);
const [s,t]=[...fingers.values()];V.zoom=Math.min(Math.max(V.zoom*Math.hypot(s[0]-t[0],s[1]-t[1])/Math.max(far,1),
.3),60);V.x+=dx*unit/2;V.y+=dy*unit/2}
else{fingers.set(e.pointerId,[e.clientX,e.clientY]);
if(e.shiftKey||e.buttons===2){V.x+=dx*unit;V.y+=dy*unit}else{V.a=(V.a-dx*.4)%360;V.e=Math.min(Math.max(V.e+dy*.4,
-90),90)}}soon()};
canvas.onpointerup=e=>{fingers.delete(e.pointerId);if(moved<4)identify(e)};canvas.onpointercancel=e=>fingers.delete(
e.pointerId);
canvas.oncontextmenu=e=>e.preventDefault();
canvas.addEventListener('wheel',e=>{e.preventDefault();V.zoom=Math.min(Math.max(V.zoom*Math.exp(-e.deltaY*.0012),.3),
60);soon()},{passive:false});
canvas.onkeydown=e=>{const step={ArrowLeft:[5,0],ArrowRight:[-5,0],ArrowUp:[0,-5],ArrowDown:[0,5]}[e.key];
if(step){V.a+=step[0];V.e=Math.min(Math.max(V.e+step[1],-90),90)}else if(e.key==='+')V.zoom*=1.2;else if(
e.key==='-')V.zoom/=1.2;else return;
e.preventDefault();soon()};
const wish=new URLSearchParams(location.hash.slice(1));if(wish.get('slices')){$('slices').checked=true;$(
'slices').onchange()}
for(const k of ['x','y','z'])if(wish.has(k))$(k).value=wish.get(k);
if(D.ways.includes(wish.get('color'))){choice.value=way=wish.get('color');colours()}told()}
function identify(e){const box=canvas.getBoundingClientRect(),ratio=canvas.width/canvas.clientWidth,
pixel=new Uint8Array(4);
render(1,true);gl.readPixels(Math.floor((e.clientX-box.left)*ratio),canvas.height-1-Math.floor((
e.clientY-box.top)*ratio),1,1,gl.RGBA,gl.UNSIGNED_BYTE,pixel);
draw(true);const k=pixel[0]+256*pixel[1];$('found').textContent=pixel[3]===0||k===0?'':words(k)}
function words(k){if(D.grey)return 'brightness '+k+' of 256';
const phase=D.phase&&D.phase[k]>=0?D.phases[D.phase[k]]||'phase '+D.phase[k]:'';
return [D.grain?'grain '+D.grain[k]:'',phase].filter(Boolean).join(', ')}
load().catch(error=>fail('The 3-D view failed ('+error.message+'); here is a picture instead.'));
"""
