"""Style and controls of the viewer's page; its scripts find the elements by their ids."""

from __future__ import annotations

VIEWER_STYLE = """
main{max-width:1180px;padding-top:18px}
header p{margin-bottom:.6rem}
.bar{display:flex;flex-wrap:wrap;gap:.5rem 1.2rem;align-items:center;margin:.4rem 0 .7rem;font-size:.92rem}
.bar label{display:inline-flex;gap:.4rem;align-items:center}
.bar [hidden],.bar label[hidden]{display:none}
select,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:7px;
padding:.2rem .6rem}
button{cursor:pointer}
input[type=range]{width:130px}
output{min-width:4.6rem;font-variant-numeric:tabular-nums;color:var(--soft)}
.stage{position:relative;border:1px solid var(--rule);border-radius:12px;background:var(--card);overflow:hidden}
#view{display:block;width:100%;height:min(68vh,760px);min-height:320px;touch-action:none;cursor:grab;outline-offset:-3px}
#view:active{cursor:grabbing}
div#view{position:relative;overflow:hidden}
div#view img{position:absolute;max-width:none;user-select:none}
#scale{position:absolute;left:16px;bottom:12px;pointer-events:none;background:color-mix(in srgb,var(--card) 78%,#0000);
padding:3px 7px;border-radius:6px}
#bar{border-top:3px solid var(--ink);font-size:.8rem;white-space:nowrap;line-height:1.5}
#triad{position:absolute;right:8px;bottom:4px;width:84px;height:84px;pointer-events:none}
#triad line{stroke:var(--soft);stroke-width:1.6}#triad text{text-anchor:middle;fill:var(--ink)}
#found{min-height:1.6em}
#still img{display:block;margin:0 auto;max-width:100%}
"""

VOLUME_BODY = """
<div id="stage"><div class="bar"><label>colour <select id="way"></select></label>
<label><input type="radio" name="kind" id="solid" checked> solid</label>
<label><input type="radio" name="kind" id="slices"> slices</label>
<label><input type="checkbox" id="lines" checked> boundaries</label>
<label><input type="checkbox" id="other"> cut from the other sides</label></div>
<div class="bar"><label>x <input type="range" id="x" min="0" max="1000" value="1000"><output id="at-x"></output></label>
<label>y <input type="range" id="y" min="0" max="1000" value="1000"><output id="at-y"></output></label>
<label>z <input type="range" id="z" min="0" max="1000" value="0"><output id="at-z"></output></label>
<span>look <button id="look-all">from a corner</button> <button id="look-x">along x</button>
<button id="look-y">along y</button> <button id="look-z">along z</button></span></div>
<div class="stage"><canvas id="view" tabindex="0" aria-label="The sample; arrow keys turn it, + and - change its size">
</canvas><div id="scale"><div id="bar"></div></div><svg id="triad" viewBox="0 0 80 80"></svg></div>
<p class="note"><span id="found"></span></p>
<p class="note">Drag to turn, wheel to magnify, shift and drag to move, click to ask what lies there.
z points down into the material.</p></div>
<div id="still" hidden><p class="warning" id="problem"></p>{still}</div>
"""

MAP_BODY = """
<div class="bar"><label>colour <select id="way"></select></label>
<label><input type="checkbox" id="lines" checked> boundaries</label> <button id="whole">all of it</button></div>
<div class="stage"><div id="view" tabindex="0" aria-label="The map; arrow keys move it, + and - change its size">
{images}</div><div id="scale"><div id="bar"></div></div></div>
<p class="note">Drag to move, wheel to magnify; x to the right, y down.</p>
"""
