"""Every preset of the curvature textures in one picture, coloured by the mean curvature of its surface.

Amber where the solid is convex (tubes, balls), grey where it is flat or a saddle, blue where it is hollow (cells).

python examples/preset_gallery.py docs/presets.png
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

import microgen
from microgen.generators.curvature_presets import PRESETS
from microgen.report.rendering import draw_solid

SHAPE, PIXELS, LINE, GAP, COLUMNS = (80, 80, 80), 214, 26, 12, 5
HUES = LinearSegmentedColormap.from_list("bend", ["#2f6f9f", "#8fb8cf", "#e9e6df", "#e8b563", "#c9722b"])
CUT = np.array([112.0, 126, 144])


def main(path: str) -> None:
    grid = microgen.Grid(SHAPE, (20.0,) * 3, periodic=(True,) * 3)
    tile = Image.new("RGB", (COLUMNS * (PIXELS + GAP), -(-len(PRESETS) // COLUMNS) * (PIXELS + LINE)), "white")
    for k, (name, preset) in enumerate(PRESETS.items()):
        sample = replace(microgen.Curvatubes.preset(name), dx=preset.dx).sample(grid, seed=0)
        assert sample.level_set is not None
        share = 0.5 + 0.5 * np.tanh(bend(sample.level_set) * preset.thickness / preset.dx / 2.5)
        paint = 255 * HUES(share)[..., :3]
        picture = Image.fromarray(draw_solid(sample, pixels=PIXELS, paint=paint, cut=CUT)[0])
        x, y = k % COLUMNS * (PIXELS + GAP) + GAP // 2, k // COLUMNS * (PIXELS + LINE)
        tile.paste(picture, (x + (PIXELS - picture.width) // 2, y + 4), picture)
        middle, font = (x + PIXELS // 2, y + PIXELS + 12), ImageFont.load_default(13)
        ImageDraw.Draw(tile).text(middle, name, fill="#30363d", font=font, anchor="mm")
    tile.quantize(160, dither=Image.Dither.NONE).save(path, optimize=True)


def bend(u: np.ndarray) -> np.ndarray:
    """kappa_1 + kappa_2 = div n in 1/voxel, n the normal out of the solid."""
    slopes = np.gradient(gaussian_filter(u, 1.0, mode="wrap"))
    size = np.sqrt(sum(s**2 for s in slopes)) + 1e-6
    return -np.sum([np.gradient(s / size, axis=k) for k, s in enumerate(slopes)], axis=0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
