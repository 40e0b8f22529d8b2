"""The film strip of a way between two samples: one picture a step, grains in the same colours all along."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from microgen.grid import Grid
from microgen.microstructure import Microstructure
from microgen.report.colours import by_grain, grain_colours, ipf_of_grains
from microgen.report.pictures import draw_box, draw_map
from microgen.report.sheet import INK, SOFT, font

FRAME, GAP, HEAD, FOOT = 250, 16, 62, 30
"""Size of a picture, space between two, above and below them, pixels."""


def draw_film(
    samples: Sequence[Microstructure], captions: Sequence[str], *, numbers: Sequence[np.ndarray], title: str
) -> bytes:
    """PNG file: the boxes of volumes over their middle slices, or planes; a caption below each.

    Colours are IPF along z where grains are turned differently, else by `numbers`, int [grains] of each sample from 1
    on, which a grain has all along the way.
    """
    from PIL import Image, ImageDraw

    several = any(np.ptp(ms.grains.orientation, axis=0).max() > 0 for ms in samples if ms.grains is not None)
    total = max(int(each.max()) for each in numbers)
    table = grain_colours(np.zeros(total, int), 1)
    columns = [_column(ms, ipf_of_grains(ms) if several else table[n - 1]) for ms, n in zip(samples, numbers)]
    heights = [max(column[k].shape[0] for column in columns) for k in range(len(columns[0]))]
    width = GAP + len(columns) * (FRAME + GAP)
    page = Image.new("RGB", (width, HEAD + sum(heights) + GAP * (len(heights) - 1) + FOOT), "white")
    draw = ImageDraw.Draw(page)
    draw.text((GAP, 12), title, fill=INK, font=font(18))
    draw.text((GAP, 38), "colours: IPF z" if several else "colours: grains", fill=SOFT, font=font(12))
    for k, (column, caption) in enumerate(zip(columns, captions)):
        left, top = GAP + k * (FRAME + GAP), HEAD
        for pixels, height in zip(column, heights):
            drawn = Image.fromarray(pixels, "RGBA")
            place = (left + (FRAME - drawn.width) // 2, top + (height - drawn.height) // 2)
            page.paste(drawn, place, drawn)
            top += height + GAP
        draw.text((left + FRAME // 2, page.height - FOOT + 6), caption, fill=INK, font=font(13), anchor="ma")
    buffer = io.BytesIO()
    page.quantize(192, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _column(ms: Microstructure, colours: np.ndarray) -> list[np.ndarray]:
    """Pictures of one sample, uint8 RGBA."""
    if not isinstance(ms.grid, Grid) or ms.grid.ndim == 2:
        return [draw_map(ms, by_grain(ms, colours), pixels=FRAME)]
    middle = ms.section(2, ms.grid.shape[-1] // 2)
    return [draw_box(ms, colours, pixels=FRAME)[0], draw_map(middle, by_grain(middle, colours), pixels=FRAME - 40)]
