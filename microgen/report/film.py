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
"""Width of a picture, space between two, above and below them, pixels."""


def draw_film(
    samples: Sequence[Microstructure],
    captions: Sequence[str],
    *,
    numbers: Sequence[np.ndarray],
    title: str,
    frame: int = FRAME,
) -> bytes:
    """PNG file: the boxes of volumes over their middle slices, or planes, `frame` pixels wide; a caption below each.

    Colours are IPF along z where grains are turned differently, else by `numbers`, int [grains] of each sample from 1
    on, which a grain has all along the way.
    """
    from PIL import Image, ImageDraw

    several = any(np.ptp(ms.grains.orientation, axis=0).max() > 0 for ms in samples if ms.grains is not None)
    total = max(int(each.max()) for each in numbers)
    table = grain_colours(np.zeros(total, int), 1)
    columns = [_column(ms, ipf_of_grains(ms) if several else table[n - 1], frame) for ms, n in zip(samples, numbers)]
    heights = [max(c[k].shape[0] for c in columns if k < len(c)) for k in range(max(map(len, columns)))]
    width = GAP + len(columns) * (frame + GAP)
    page = Image.new("RGB", (width, HEAD + sum(heights) + GAP * (len(heights) - 1) + FOOT), "white")
    draw = ImageDraw.Draw(page)
    draw.text((GAP, 12), title, fill=INK, font=font(18))
    draw.text((GAP, 38), "colours: IPF z" if several else "colours: grains", fill=SOFT, font=font(12))
    for k, (column, caption) in enumerate(zip(columns, captions)):
        left, top = GAP + k * (frame + GAP), HEAD
        for pixels, height in zip(column, heights):
            drawn = Image.fromarray(pixels, "RGBA")
            place = (left + (frame - drawn.width) // 2, top + (height - drawn.height) // 2)
            page.paste(drawn, place, drawn)
            top += height + GAP
        draw.text((left + frame // 2, page.height - FOOT + 6), caption, fill=INK, font=font(13), anchor="ma")
    buffer = io.BytesIO()
    page.quantize(192, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _column(ms: Microstructure, colours: np.ndarray, frame: int) -> list[np.ndarray]:
    """Pictures of one sample, uint8 RGBA."""
    if not isinstance(ms.grid, Grid) or ms.grid.ndim == 2:
        return [draw_map(ms, by_grain(ms, colours), pixels=frame)]
    middle = ms.section(2, ms.grid.shape[-1] // 2)
    return [draw_box(ms, colours, pixels=frame)[0], draw_map(middle, by_grain(middle, colours), pixels=frame - 40)]
