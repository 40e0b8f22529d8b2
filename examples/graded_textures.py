"""A continuum of textures: one volume, one start, and coefficients that run from preset to preset.

A bar goes from balls to tubes along x; a plate has another texture at each of its four corners.

python examples/graded_textures.py docs/graded.png
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import microgen
from microgen.generators.curvatubes import Curvatubes, Graded
from microgen.report.rendering import draw_solid

BAR, PLATE = (176, 56, 56), (128, 128, 36)
ENDS, CORNERS = ("spheres", "tubes"), ("tubes", "trabecular-bone", "lamina-cribrosa", "sponge")
HUES = np.array([[240, 168, 80], [84, 156, 176], [206, 104, 116], [226, 220, 196]], float)


def graded(names: tuple[str, ...], axes: tuple[int, ...]) -> Curvatubes:
    """Textures at both ends of an axis, or at the corners (0, 0), (1, 0), (0, 1), (1, 1) of two."""
    sets = [Curvatubes.preset(name) for name in names]
    between = Graded(tuple(s.coefficients for s in sets), tuple(s.mass for s in sets), axes)
    return replace(sets[0], mass=float(np.mean(between.mass)), dx=0.01, graded=between)


def view(names: tuple[str, ...], shape: tuple[int, int, int], pixels: int) -> Image.Image:
    """The sample, the surface in the mixture of the colours of its textures."""
    generator = graded(names, (0,) if len(names) == 2 else (0, 1))
    grid = microgen.Grid(shape, (20.0,) * 3, periodic=(False, len(names) == 2, True))
    sample = generator.sample(grid, seed=0)
    assert generator.graded is not None
    paint = np.moveaxis(np.tensordot(HUES[: len(names)].T, generator.graded.weights(shape), 1), 0, -1)
    return Image.fromarray(draw_solid(sample, pixels=pixels, paint=paint, cut=0.55 * paint)[0])


def main(path: str) -> None:
    bar, plate = view(ENDS, BAR, 440), view(CORNERS, PLATE, 440)
    page = Image.new("RGB", (940, 350), "white")
    page.paste(bar, (10, 175 - bar.height // 2), bar)
    page.paste(plate, (485, 175 - plate.height // 2), plate)
    words = ((ENDS[0], 75, 22), (ENDS[1], 420, 334), (CORNERS[0], 745, 22), (CORNERS[1], 875, 256))
    for text, x, y in (*words, (CORNERS[2], 520, 90), (CORNERS[3], 690, 334)):
        ImageDraw.Draw(page).text((x, y), text, fill="#30363d", font=ImageFont.load_default(13), anchor="mm")
    page.quantize(224, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
