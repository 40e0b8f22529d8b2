"""Three textures from their presets: generated, measured, written as closed surfaces, and shown in one picture.

python examples/curvatubes.py textures textures.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import microgen
from microgen.report.rendering import draw_solid

PRESETS = ("trabecular-bone", "sponge", "tubes")
SHAPE, SPACING, PIXELS, DPI = (80, 80, 80), 20.0, 300, 100


def main(folder: str, picture: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    grid = microgen.Grid(SHAPE, (SPACING,) * 3, periodic=(True,) * 3)
    pictures = []
    for name in PRESETS:
        sample = microgen.Curvatubes.preset(name).sample(grid, seed=0)
        found = microgen.describe(sample)
        thickness, fraction = found["thickness"].mean, found["volume_fraction"]
        print(f"{name:16} solid {fraction:.1%}, {thickness:.0f} µm thick, Euler number {found['euler_number']:.0f}")
        for path in microgen.write(sample, Path(folder) / f"{name}.stl", overwrite=True):
            print(f"  {path}")
        pictures.append((draw_solid(sample, pixels=PIXELS)[0], name))
    save(Path(picture), pictures)


def save(path: Path, pictures: list[tuple[np.ndarray, str]]) -> None:
    """Pictures beside one another, pixel for pixel, a line of text below each."""
    width, height = sum(pixels.shape[1] + 14 for pixels, _ in pictures), PIXELS + 34
    figure, left = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white"), 7
    for pixels, name in pictures:
        figure.figimage(pixels, left, 30, origin="upper")
        figure.text((left + pixels.shape[1] / 2) / width, 9 / height, name, ha="center", fontsize=10)
        left += pixels.shape[1] + 14
    FigureCanvasAgg(figure).print_png(path)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
