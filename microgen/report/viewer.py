"""A page to look at a sample from all sides: one file, no network, no server; volumes by WebGL, planes as pictures."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np

from microgen.grid import Grid
from microgen.microstructure import Microstructure
from microgen.report import sheet
from microgen.report.colours import phase_colour
from microgen.report.keys import keys_figure
from microgen.report.map_script import MAP_SCRIPT
from microgen.report.markup import legend
from microgen.report.painting import DIRECTIONS, MOST_NUMBERS, Painted, paint
from microgen.report.pictures import Window
from microgen.report.png import data_uri
from microgen.report.rendering import CUT
from microgen.report.style import STYLE
from microgen.report.tables import length
from microgen.report.viewer_style import MAP_BODY, VIEWER_STYLE, VOLUME_BODY
from microgen.report.volume_script import SHADER, VOLUME_SCRIPT

MOST_VOXELS = 160**3
"""Larger volumes are shown at every second (third, ...) voxel along each axis, so that the page stays below 13 MB."""
MOST_PIXELS = 1100
"""Longer side of the pictures of a map."""
NAMES = {"ipf-x": "IPF x", "ipf-y": "IPF y", "ipf-z": "IPF z", "level-set": "solid", "grey": "brightness"}
STEEP = 3.0
"""Voxels on either side of a surface over which a level set is kept."""


def render_viewer(ms: Microstructure, *, way: str | None = None, title: str = "Sample") -> str:
    """HTML text of the page: no network and no second file; write it as UTF-8.

    `way` is the colouring shown first (see `painting.WAYS`). Raises InvalidParameter for one that the sample lacks.
    """
    if ms.grid.ndim == 2:
        return _document(_map(ms, paint(ms, way)), ms, title=title)
    coarse, factor = thinned(ms)
    painted = _few(paint(coarse, way), coarse)
    notes = [*painted.notes]
    if factor > 1:
        notes.insert(0, f"{_ordinal(factor)} voxel along each axis is shown; the file holds {_times(ms.grid.shape)}.")
    return _document(_volume(coarse, painted, notes), ms, title=title)


def thinned(ms: Microstructure) -> tuple[Microstructure, int]:
    """Every n-th voxel along each axis, with n so that not more than MOST_VOXELS are left; and n."""
    assert isinstance(ms.grid, Grid)
    factor = 1
    while np.prod([-(-n // factor) for n in ms.grid.shape]) > MOST_VOXELS:
        factor += 1
    if factor == 1:
        return ms, 1
    start = [min(factor // 2, n - 1) for n in ms.grid.shape]
    pick = tuple(slice(s, None, factor) for s in start)
    arrays: dict[str, Any] = {
        name: None if (a := getattr(ms, name)) is None else np.ascontiguousarray(a[pick])
        for name in ("phase_id", "grain_id", "orientation", "level_set", "grey", "measured")
    }
    shape = arrays["phase_id"].shape
    spacing = tuple(side / n for side, n in zip(ms.grid.lengths, shape))
    return replace(ms, grid=Grid(shape, spacing, ms.grid.origin, ms.grid.periodic), **arrays), factor


def _few(painted: Painted, ms: Microstructure) -> Painted:
    """As many numbers as two bytes hold; of more grains, those with colours alike become one."""
    if int(painted.numbers.max(initial=0)) <= MOST_NUMBERS:
        return painted
    ways = tuple(painted.colours)
    bare = replace(ms, grain_id=None, orientation=ms.point_orientation if set(ways) & set(DIRECTIONS) else None)
    note = f"More than {MOST_NUMBERS} grains: neither their numbers nor the lines between them are shown."
    return replace(paint(bare), notes=(note,))


def _volume(ms: Microstructure, painted: Painted, notes: Sequence[str]) -> str:
    way = next(iter(painted.colours))
    values, field = _values(ms, painted)
    data = {
        "shape": list(ms.grid.shape),
        "lengths": list(ms.grid.lengths),
        "field": field,
        "wide": values.dtype.itemsize > 1,
        "lines": not field and way != "grey" and (painted.grain_id is not None or way == "phase"),
        "filled": (CUT if ms.level_set is not None else 0.8 * painted.colours[way][-1]).tolist(),
        "grey": way == "grey",
        "values": _packed(values),
        "colours": {name: _base64(table.tobytes()) for name, table in painted.colours.items()},
        "grain": None if painted.grain_id is None else painted.grain_id.tolist(),
        "phase": None if painted.phase_id is None else painted.phase_id.tolist(),
        "phases": [phase.name for phase in ms.phases],
        "shader": SHADER,
    }
    still = data_uri(sheet.view(ms, painted, way, pixels=560)[0])
    body = VOLUME_BODY.replace("{still}", f'<img alt="the sample from outside" src="{still}">')
    return body + _notes(notes) + _keys(ms, painted) + _script(data, painted, VOLUME_SCRIPT)


def _values(ms: Microstructure, painted: Painted) -> tuple[np.ndarray, bool]:
    """What the shader gets, [z, y, x], and whether it is a level set (else numbers).

    A level set is mapped to 0 .. 255, above 127 in the solid, and cut off where it is far from the surface; a volume of
    one solid and void is shown as one too.
    """
    solid = painted.numbers > 0
    single = painted.grain_id is None and int(painted.numbers.max(initial=0)) == 1 and not solid.all()
    if ms.level_set is None and not single:
        narrow = np.uint8 if painted.numbers.max(initial=0) < 256 else np.uint16
        return np.ascontiguousarray(painted.numbers.T.astype(narrow)), False
    u = np.where(solid, 1.0, -1.0) if ms.level_set is None else np.asarray(ms.level_set)
    u = u.astype(np.float32)
    edge = np.abs(np.diff(u, axis=0))[np.diff(u > 0, axis=0)] if len(u) > 1 else u[:0]
    scale = STEEP * float(np.median(edge)) if edge.size else float(np.abs(u).max()) or 1.0
    steps = np.clip(np.floor(127.5 + 127.5 * u / scale + 0.5 * (u > 0)), 0, 255)
    steps = np.where(u > 0, np.maximum(steps, 128), np.minimum(steps, 127))
    return np.ascontiguousarray(steps.T.astype(np.uint8)), True


def _map(ms: Microstructure, painted: Painted) -> str:
    """Pictures of the map, one a way, and one of the lines between grains."""
    drawn = {way: sheet.map_of(ms, painted, way, pixels=MOST_PIXELS, boundaries=False) for way in painted.colours}
    height, width = next(iter(drawn.values())).shape[:2]
    images = [
        f'<img data-way="{way}" alt="{NAMES.get(way, way)}" draggable="false" src="{data_uri(pixels)}">'
        for way, pixels in drawn.items()
    ]
    if ms.grain_id is not None and ms.level_set is None:
        lines = _lines(ms, painted)
        images.append(f'<img class="lines" alt="" draggable="false" src="{data_uri(lines)}">')
    data = {"pixels": [width, height], "width": Window.whole(ms.grid).width}
    body = MAP_BODY.replace("{images}", "".join(images))
    return body + _keys(ms, painted) + _script(data, painted, MAP_SCRIPT)


def _lines(ms: Microstructure, painted: Painted) -> np.ndarray:
    """Boundaries alone, uint8 RGBA, transparent between them: how much darker a white map becomes by them."""
    white = replace(painted, colours={"grain": np.full((int(painted.numbers.max()) + 1, 3), 255, np.uint8)})
    drawn = sheet.map_of(replace(ms, orientation=None), white, "grain", pixels=MOST_PIXELS)
    lines = np.zeros_like(drawn)
    lines[..., 3] = (255 - drawn[..., 0]) * (drawn[..., 3] > 0)
    return lines


def _keys(ms: Microstructure, painted: Painted) -> str:
    """Keys of the IPF colours and names of the phases; the script shows those of the colouring at hand."""
    present = [int(k) for k in np.unique(ms.phase_id) if 0 <= k < len(ms.phases)]
    parts = []
    oriented = " ".join(way for way in painted.colours if way in DIRECTIONS)
    if oriented:
        words = "The colours name the crystal direction along x, y or z of the sample:"
        parts.append(f'<div data-key="{oriented}">{keys_figure([ms.phases[k] for k in present], words)}</div>')
    if len(present) > 1 and "phase" in painted.colours:
        names = legend([(ms.phases[k].name, phase_colour(k)) for k in present])
        parts.append(f'<div data-key="phase">{names}</div>')
    return "".join(parts)


def _script(data: dict[str, Any], painted: Painted, script: str) -> str:
    data |= {"ways": list(painted.colours), "names": {way: NAMES.get(way, way) for way in painted.colours}}
    # Data may hold no `</`, or that would end the script.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return f"<script>const DATA={text};{script}</script>"


def _notes(notes: Sequence[str]) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>' for note in notes)


def _packed(values: np.ndarray) -> str:
    return _base64(zlib.compress(values.astype(values.dtype.newbyteorder("<")).tobytes(), 9))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _ordinal(factor: int) -> str:
    return f"Every { ({2: 'second', 3: 'third', 4: 'fourth'}.get(factor) or f'{factor}th') }"


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _document(body: str, ms: Microstructure, *, title: str) -> str:
    kind = "points" if ms.grid.ndim == 2 else "voxels"
    sides = " × ".join(length(side) for side in ms.grid.lengths)
    head = f'<header><h1>{escape(title)}</h1><p class="lead">{_times(ms.grid.shape)} {kind}, {sides}</p></header>'
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{VIEWER_STYLE}</style></head>"
        f"<body><main>{head}{body}</main></body></html>\n"
    )
