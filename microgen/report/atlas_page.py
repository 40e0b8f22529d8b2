"""The page of an atlas: a map of its textures with pictures, coefficients and figures, to be browsed offline."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

from microgen.atlas import COEFFICIENTS, FEW_ACROSS, STATISTICS, Atlas
from microgen.errors import InvalidParameter
from microgen.report import markup
from microgen.report.atlas_script import ATLAS_STYLE, SCRIPT
from microgen.report.embedding import FEWEST, embed
from microgen.report.style import STYLE
from microgen.report.tables import label

SPACING = 20.0
"""µm a voxel, where no wish says another size."""
REDUCED = ("h2", "H0", "kg", "s", "p", "t", "q")


def render_atlas(atlas: Atlas, pictures: Mapping[int, bytes], *, title: str = "Atlas of textures") -> str:
    """HTML text of the page: no network and no second file; write it as UTF-8.

    `pictures` holds a PNG for each sample number. Raises InvalidParameter with fewer than 5 textures, and
    EnvironmentProblem without umap-learn.
    """
    formed = atlas.formed
    if len(formed) < FEWEST:
        expected = f"{FEWEST} or more textures for a map"
        raise InvalidParameter("atlas", expected=expected, got=len(formed), remedy="Draw more with --resume.")
    places = embed(atlas.features(), seed=int(atlas.settings.get("seed", 0)))
    points = [_point(atlas, int(row), place, pictures) for row, place in zip(formed, places)]
    data = {"points": points, "statistics": [_statistic(name) for name in STATISTICS]}
    # A page holds no `</` in its data, or that would end the script.
    script = f"<script>const DATA={_json(data)};{SCRIPT}</script>"
    body = "".join([_head(atlas, title), _BROWSER, _told(atlas), script])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{ATLAS_STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def command_line(
    row: Mapping[str, Any], settings: Mapping[str, Any], *, dx: float | None = None, spacing: float = SPACING
) -> str:
    """The `microgen curvatubes` command that makes a row again: the very same sample where dx is that of the atlas."""
    numbers = " ".join(repr(float(row[name])) for name in COEFFICIENTS)
    same = dx is None or math.isclose(dx, settings["dx"], rel_tol=1e-12)
    parts = [f"microgen curvatubes --coefficients {numbers} --mass {float(row['mass'])!r}"]
    parts.append(f"--dx {settings['dx'] if same else dx:.6g} --eps {settings['eps']:.6g} --spacing {spacing:.6g}")
    parts.append(f"--shape {' '.join(map(str, settings['shape']))} --seed {int(row['seed'])}" if same else "")
    name = f"texture_{int(row['sample']):04d}"
    return " ".join(filter(None, [*parts, f"--out {name}.tif --out {name}.stl"]))


def _point(atlas: Atlas, row: int, place: np.ndarray, pictures: Mapping[int, bytes]) -> dict[str, Any]:
    cells = atlas.row(row)
    picture = pictures.get(cells["sample"])
    return {
        "n": cells["sample"],
        "x": round(float(place[0]), 4),
        "y": round(float(place[1]), 4),
        "png": base64.b64encode(picture).decode("ascii") if picture else "",
        "mass": _short(cells["mass"]),
        "coefficients": [_short(cells[name]) for name in COEFFICIENTS],
        "reduced": [_short(cells[name]) for name in REDUCED],
        "values": [_short(cells[name]) for name in STATISTICS],
        "notes": list(_notes(cells, atlas)),
        "command": command_line(cells, atlas.settings),
    }


def _notes(cells: Mapping[str, Any], atlas: Atlas) -> Iterator[str]:
    if cells["status"] == "capped":
        yield "still moving at the last step"
    across = atlas.across(int(np.flatnonzero(atlas.columns["sample"] == cells["sample"])[0]))
    if across < FEW_ACROSS:
        yield f"coarse: the box holds {across:.1f} walls and gaps side by side"


def _statistic(name: str) -> dict[str, str]:
    power = STATISTICS[name]
    unit = "" if power == 0 else "L" if power == 1 else f"1/L{'' if power == -1 else {-2: '²', -3: '³'}[power]}"
    return {"name": name, "label": label(name), "unit": unit}


def _head(atlas: Atlas, title: str) -> str:
    shape, dx = " × ".join(map(str, atlas.settings["shape"])), atlas.settings["dx"]
    formed, drawn = len(atlas.formed), len(atlas)
    lead = f"{formed} textures from {drawn} random curvature polynomials, {shape} voxels each"
    lost = f"{drawn - formed} of {drawn} draws formed no texture"
    moving = int((atlas.columns["status"] == "capped").sum())
    chips: list[tuple[str, bool | None]] = [(lost, None), (f"seed {atlas.settings.get('seed')}", None)]
    chips += [(f"{moving} were still moving at the last step", None)] if moving else []
    words = (
        "Textures that are alike, whatever their size, lie side by side. Lengths are in the unit L of the "
        f"coefficients: a voxel measures {dx:g} L, the interface is {atlas.settings['eps']:g} L wide."
    )
    lines = markup.paragraph(lead, style="lead") + markup.paragraph(words) + markup.chips(chips)
    return f"<header><h1>{escape(title)}</h1>{lines}</header>"


def _told(atlas: Atlas) -> str:
    """Settings of the draws."""
    shown = json.dumps(atlas.settings, indent=2, ensure_ascii=False)
    words = (
        "microgen atlas --find thickness=120um --find porosity=0.7 --atlas atlas.csv looks up the nearest of these, "
        "with the size of a voxel that meets the wish."
    )
    details = f"<details><summary>Settings</summary><pre>{escape(shown)}</pre></details>"
    return markup.section("How it was made", markup.paragraph(words), details)


def _short(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")


_BROWSER = """
<div class="atlas"><div class="card map">
<div class="bar"><label>colour <select id="statistic"></select></label>
<label><input type="checkbox" id="pictures"> pictures</label>
<span id="ends" class="note"><span id="least"></span><i id="ramp"></i><span id="most"></span></span></div>
<canvas id="map" tabindex="0" aria-label="Map of the textures; arrow keys go to a neighbour"></canvas>
<p class="note">Hover to look, click to keep; arrow keys step to the nearest neighbour in a direction.</p></div>
<div class="card entry" id="entry" aria-live="polite"></div></div>
"""
