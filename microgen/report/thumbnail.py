"""A small picture of a solid, some kilobytes of PNG."""

from __future__ import annotations

import io

from microgen.microstructure import Microstructure
from microgen.report.rendering import draw_solid

PIXELS = 200
COLOURS = 48


def thumbnail(ms: Microstructure, *, pixels: int = PIXELS) -> bytes:
    """PNG file with a palette: the solid of a level set in its box, transparent around."""
    from PIL import Image

    picture, _ = draw_solid(ms, pixels=pixels)
    small = Image.fromarray(picture, "RGBA").quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
