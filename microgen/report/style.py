"""The look of the page: one style sheet, readable on a phone, light and dark, and on paper."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fbfbfa;--card:#fff;--ink:#1d2129;--soft:#5b6472;--rule:#e1e4e9;
--scan:#5d7fa8;--scan-fill:#5d7fa855;--made:#c8511b;--good:#1f7a4a;--good-fill:#1f7a4a1c;--bad:#b3261e;--bad-fill:#b3261e1a;
--warn-fill:#f5b70022;--warn:#8a6100}
@media(prefers-color-scheme:dark){:root{--paper:#15181d;--card:#1c2027;--ink:#e6e8ec;--soft:#9aa3b2;--rule:#30363f;
--scan:#8fb3de;--scan-fill:#8fb3de4d;--made:#ff9a5c;--good:#6fcf97;--good-fill:#6fcf9722;--bad:#ff8a80;--bad-fill:#ff8a8022;
--warn-fill:#f5b70022;--warn:#f2c14e}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.6rem 0 .8rem;padding-top:1rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:0 0 .2rem}
p{margin:.3rem 0 .9rem;max-width:46rem}
.lead{font-size:1.05rem;color:var(--soft)}
.soft,figcaption,.note{color:var(--soft);font-size:.88rem}
.chips{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0 0;padding:0;list-style:none}
.chip{padding:.2rem .75rem;border-radius:99px;border:1px solid var(--rule);font-size:.88rem}
.chip.good,td.good{color:var(--good);background:var(--good-fill);border-color:transparent}
.chip.bad,td.bad{color:var(--bad);background:var(--bad-fill);border-color:transparent}
.warning{background:var(--warn-fill);color:var(--warn);padding:.6rem .9rem;border-radius:8px;
margin:.8rem 0;max-width:none}
.row{display:grid;gap:26px;grid-template-columns:repeat(auto-fit,
minmax(min(100%,var(--least,300px)),1fr));align-items:start}
.row+.row,.row+p{margin-top:26px}
.card{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:14px 16px;min-width:0}
figure{margin:0;min-width:0}
figcaption{margin-top:.35rem}
.frame{position:relative;max-width:100%}
.alone .frame{margin:0 auto}.alone figcaption{text-align:center}
.frame img{display:block;width:100%;height:auto;border-radius:3px}
.scale{margin-top:6px;border-top:3px solid var(--ink);font-size:.78rem;line-height:1.4;white-space:nowrap}
.box{max-width:680px;margin:0 auto;padding:0 4% 0 max(9%,64px)}
.box div{position:relative}
.box img{display:block;width:100%;height:auto}
.box b{position:absolute;font-weight:500;font-size:.85rem;line-height:1.2;color:var(--soft);white-space:nowrap}
.keys{display:flex;flex-wrap:wrap;gap:22px;margin:1rem 0 1.4rem}
.key svg{display:block}.key figcaption{text-align:center;max-width:15rem}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;font-size:.88rem;margin:.2rem 0 .6rem;padding:0;list-style:none}
.legend i{display:inline-block;width:.85em;height:.85em;border-radius:3px;margin-right:.45em;vertical-align:-.06em}
.legend .target{background:var(--scan-fill);border:1.5px solid var(--scan)}
.legend .achieved{background:none;border:1.5px solid var(--made)}
.legend .random{height:0;border-top:2px dashed var(--soft);border-radius:0;vertical-align:.28em;width:1.3em}
dl{margin:0 0 1.1rem;display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.1rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.93rem;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .7rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{font-weight:600;color:var(--soft);font-size:.85rem}
th:first-child,td:first-child{text-align:left}
svg text{fill:var(--soft);font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg.chart{display:block;width:100%;height:auto;max-width:520px}
svg .axis{fill:var(--ink)}
svg .grid{stroke:var(--rule)}
svg .bars,svg .line{fill:none;stroke-width:1.6;stroke-linejoin:round}
svg .target{stroke:var(--scan)}svg .achieved{stroke:var(--made)}
svg .bars.target{fill:var(--scan-fill)}
svg .random{stroke:var(--soft);stroke-width:1.8;stroke-dasharray:6 3}
svg.poles{display:block;width:100%;height:auto}
svg .ring{fill:none;stroke:var(--soft);stroke-width:1}
svg .mark{stroke:var(--soft);stroke-dasharray:4 3}
svg.bullet{display:inline-block;width:120px;height:16px;vertical-align:middle}
.bullet .track{fill:var(--rule)}.bullet .band{fill:var(--scan-fill)}
.bullet .tick{stroke:var(--scan);stroke-width:1.5}
.bullet .good{fill:var(--good)}.bullet .bad{fill:var(--bad)}
code,pre{font:.86rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px;overflow:auto;max-height:26rem}
summary{cursor:pointer}
@media(max-width:600px){main{padding:18px 14px 40px}th,td{padding:.35rem .45rem;font-size:.82rem}}
@media print{main{max-width:none;padding:0}figure,.card,tr{break-inside:avoid}}
"""
