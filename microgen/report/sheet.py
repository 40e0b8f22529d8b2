"""Pictures of a sample on one sheet, as PNG: the box and its three middle slices, or a map; with keys and lengths."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microgen.grid import Grid
from microgen.microstructure import Microstructure
from microgen.report.colours import ipf_of_points
from microgen.report.keys import corners, draw_key, frame
from microgen.report.markup import scale_bar
from microgen.report.painting import DIRECTIONS, Painted, paint
from microgen.report.pictures import Window, draw_box, draw_map
from microgen.report.rendering import draw_solid
from microgen.report.tables import length
from microgen.report.texture_page import draw_plane

WIDTH, MARGIN, SLICE, MAP = 1120, 26, 340, 900
"""Of the sheet, between its parts, of a slice and of a map, pixels."""
INK, SOFT = (29, 33, 41), (91, 100, 114)
CLOSED = 0.002
"""Share of empty points up to which a volume is drawn as a full box."""
BESIDE = ((-4, 6, "ra"), (-6, -6, "rs"), (-10, 0, "rm"))
"""Where the names of the edges along x, y, z stand beside their middles."""
TILE = 220
"""Size of a picture on a contact sheet."""
MOST_TILES = 60


def draw_sheet(ms: Microstructure, *, way: str | None = None, title: str = "", painted: Painted | None = None) -> bytes:
    """PNG file. Raises InvalidParameter for a way in which the sample cannot be coloured."""
    painted = painted or paint(ms, way)
    way = way or next(iter(painted.colours))
    sheet = Sheet(title or "sample", _told(ms, way))
    if ms.grid.ndim == 3:
        box, names = view(ms, painted, way)
        sheet.row([(box, "")], names=names)
        sheet.row([cut_of(ms, painted, way, axis) for axis in (2, 1, 0)])
    else:
        pixels = map_of(ms, painted, way, pixels=MAP)
        sheet.row([(pixels, _bar(Window.whole(ms.grid).width, pixels))])
    if way in DIRECTIONS:
        present = [ms.phases[k] for k in np.unique(ms.phase_id) if 0 <= k < len(ms.phases)]
        sheet.keys(list(dict.fromkeys(phase.laue_group for phase in present)), way[-1])
    return sheet.png()


def view(ms: Microstructure, painted: Painted, way: str, *, pixels: int = 640) -> tuple[np.ndarray, list[Any]]:
    """The box from outside, uint8 RGBA, and the texts at its edges with their places in shares of the picture."""
    colours = painted.colours[way]
    if ms.level_set is not None:
        drawn, ends = draw_solid(ms, pixels=pixels)
    elif (painted.numbers == 0).mean() <= CLOSED:
        box = replace(ms, grain_id=painted.numbers)
        drawn, ends = draw_box(box, colours[1:], pixels=pixels, boundaries=way != "grey")
    else:
        shown = (colours[1] if len(colours) == 2 else colours[painted.numbers]).astype(float)
        solid = replace(ms, phase_id=np.where(painted.numbers > 0, 0, -1).astype(np.int16))
        drawn, ends = draw_solid(solid, pixels=pixels, paint=shown, cut=shown)
    names = [(f"{name} {length(side)}", ends[name]) for name, side in zip("xyz", ms.grid.lengths)]
    return drawn, names


def cut_of(ms: Microstructure, painted: Painted, way: str, axis: int) -> tuple[np.ndarray, str]:
    """The middle slice across an axis, and its caption."""
    assert isinstance(ms.grid, Grid)
    index = ms.grid.shape[axis] // 2
    right, down = (name for k, name in enumerate("xyz") if k != axis)
    place = length((index + 0.5) * ms.grid.spacing[axis])
    pixels = map_of(ms.section(axis, index), replace(painted, numbers=np.take(painted.numbers, index, axis)), way)
    return pixels, f"{'xyz'[axis]} = {place}; {right} to the right, {down} down"


def map_of(
    ms: Microstructure, painted: Painted, way: str, *, pixels: int = SLICE, boundaries: bool = True
) -> np.ndarray:
    """A plane: uint8 RGBA, with the lines between grains where grains are known."""
    if ms.level_set is not None:
        return draw_plane(ms, pixels)
    if way in DIRECTIONS and ms.orientation is not None:
        return draw_map(ms, ipf_of_points(ms, direction=DIRECTIONS[way]), pixels=pixels, boundaries=boundaries)
    return draw_map(ms, painted.of_points(way), pixels=pixels, boundaries=boundaries)


def tile(ms: Microstructure) -> np.ndarray:
    """Small picture of a sample for a contact sheet, uint8 RGBA."""
    painted = paint(ms)
    way = next(iter(painted.colours))
    return view(ms, painted, way, pixels=TILE)[0] if ms.grid.ndim == 3 else map_of(ms, painted, way, pixels=TILE)


def contact_sheet(pictures: Sequence[tuple[np.ndarray, str]], *, title: str, total: int | None = None) -> bytes:
    """PNG file of small pictures with a line of text below each; of very many (`total`) only the first ones."""
    shown, total = pictures[:MOST_TILES], total or len(pictures)
    left = f", {total - len(shown)} of them not shown" if total > len(shown) else ""
    sheet = Sheet(title, f"{total} samples{left}")
    per_row = max(1, (WIDTH - MARGIN) // (TILE + MARGIN))
    for k in range(0, len(shown), per_row):
        sheet.row(shown[k : k + per_row])
    return sheet.png()


def _told(ms: Microstructure, way: str) -> str:
    sides = " × ".join(length(side) for side in ms.grid.lengths)
    what = {"level-set": "the solid", "grey": "brightness", "phase": "colours: phases", "grain": "colours: grains"}
    return f"{' × '.join(map(str, ms.grid.shape))} points, {sides}; " + what.get(way, f"colours: IPF {way[-1]}")


def _bar(width: float, pixels: np.ndarray) -> str:
    """What the scale bar under a map measures; marked so that the sheet draws it."""
    bar = scale_bar(width)
    return f"|{bar / width * pixels.shape[1]:.0f}|{length(bar)}"


class Sheet:
    """Grows downwards, on white."""

    def __init__(self, title: str, words: str) -> None:
        from PIL import Image

        self._image = Image.new("RGB", (WIDTH, 78), "white")
        self._text((MARGIN, 18), title, size=20)
        self._text((MARGIN, 48), words, size=13, colour=SOFT)

    def row(self, pictures: Sequence[tuple[np.ndarray, str]], *, names: Sequence[Any] = ()) -> None:
        """Pictures beside one another with a caption each; `names` are texts at places of the first one."""
        from PIL import Image

        top, left = self._image.height, MARGIN
        self._grow(max(pixels.shape[0] for pixels, _ in pictures) + 34)
        if len(pictures) == 1:
            left = (WIDTH - pictures[0][0].shape[1]) // 2
        for pixels, caption in pictures:
            drawn = Image.fromarray(pixels, "RGBA" if pixels.shape[2] == 4 else "RGB").convert("RGBA")
            self._image.paste(drawn, (left, top), drawn)
            self._caption((left, top + pixels.shape[0] + 6), caption)
            for (text, (x, y)), (across, down, anchor) in zip(names, BESIDE):
                place = (left + x * pixels.shape[1] + across, top + y * pixels.shape[0] + down)
                self._text(place, text, anchor=anchor, size=13)
            left += max(pixels.shape[1], TILE) + MARGIN

    def keys(self, laue_groups: Sequence[str], axis: str) -> None:
        """Keys of the IPF colours."""
        from PIL import Image

        top = self._image.height
        self._grow(170)
        self._text((MARGIN, top + 4), f"crystal direction along {axis}", size=13, colour=SOFT)
        for k, laue_group in enumerate(laue_groups[:5]):
            left = MARGIN + 40 + 210 * k
            drawn = Image.fromarray(draw_key(laue_group, pixels=100), "RGBA")
            self._image.paste(drawn, (left, top + 46), drawn)
            edges = frame(laue_group)
            scale = 100 / max(edges[2] - edges[0], edges[3] - edges[1])
            self._corners(laue_group, (left - edges[0] * scale, top + 46 - edges[1] * scale), scale)
            self._text((left + drawn.width / 2, top + 166), laue_group, size=13, colour=SOFT, anchor="ms")

    def png(self) -> bytes:
        """The file."""
        buffer = io.BytesIO()
        self._image.save(buffer, "PNG", optimize=True)
        return buffer.getvalue()

    def _corners(self, laue_group: str, origin: tuple[float, float], scale: float) -> None:
        named = corners(laue_group)
        places = np.array([[origin[0] + x * scale, origin[1] + y * scale] for _, (x, y) in named])
        outward = places - places.mean(axis=0)
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
        for (name, _), (x, y) in zip(named, places + outward * (18, 11)):
            self._text((x, y), name, size=13, colour=SOFT, anchor="mm")

    def _caption(self, place: tuple[float, float], text: str) -> None:
        if text.startswith("|"):
            from PIL import ImageDraw

            _, wide, text = text.split("|")
            left, top = place
            ImageDraw.Draw(self._image).rectangle((left, top, left + int(wide), top + 3), fill=INK)
            place = (left, top + 8)
        self._text(place, text, size=12, colour=SOFT)

    def _grow(self, height: int) -> None:
        from PIL import Image

        taller = Image.new("RGB", (WIDTH, self._image.height + height), "white")
        taller.paste(self._image, (0, 0))
        self._image = taller

    def _text(
        self,
        place: tuple[float, float],
        text: str,
        *,
        size: int,
        colour: tuple[int, int, int] = INK,
        anchor: str = "la",
    ) -> None:
        from PIL import ImageDraw

        ImageDraw.Draw(self._image).text(place, text, fill=colour, font=font(size), anchor=anchor)


def font(size: int):
    """The font that comes with matplotlib: the one in Pillow knows neither µ nor ×."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)
