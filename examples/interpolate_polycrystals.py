"""From one material to another: a way between two polycrystals, each step of which is a polycrystal with its volumes.

Small round grains become large long ones. Grains are matched by place, size and shape; 20 of them shrink to nothing.

python examples/interpolate_polycrystals.py docs/interpolated.png [way]
"""

from __future__ import annotations

import sys
from pathlib import Path

import microgen
from microgen import AspectRatioLaw, Fabric, Grid, Polycrystal, SizeLaw
from microgen.report import draw_film

SHAPE, STEPS = (64, 64, 64), 5


def main(picture: str, folder: str = "") -> None:
    grid = Grid(SHAPE, (1.0, 1.0, 1.0), periodic=(True, True, True))
    fine = Polycrystal(90, size=SizeLaw(cv=0.2)).sample(grid, seed=0)
    ratio, fabric = AspectRatioLaw(mean=2.5), Fabric(axis=(1.0, 0.0, 0.0), concentration=20.0)
    coarse = Polycrystal(70, size=SizeLaw(cv=0.4), aspect_ratio=ratio, fabric=fabric).sample(grid, seed=1)
    path = microgen.interpolate(fine, coarse)
    ends = microgen.grain_distance(path.a, path.b), microgen.grain_distance(path.a, path.b, position=0)
    print(f"{len(path.matching.first)} pairs, {len(path.deaths)} deaths, {len(path.births)} births")
    print(f"distance of the ends {ends[0]:.2f}, without places {ends[1]:.2f} (grain spacings, factors e of an axis)")

    samples, captions = [], []
    for k, sample in enumerate(path.steps(STEPS)):
        found, t = microgen.describe(sample), k / (STEPS - 1)
        error = sample.provenance.achieved["volume_error_max_400"]
        print(f"t = {t:.2f}: aspect ratio {found['aspect_ratio'].mean:.2f}, volumes off by {error:.2%} at worst")
        samples.append(sample)
        captions.append(f"t = {t:.2f}, {len(sample.grains)} grains")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            microgen.write(sample, Path(folder) / f"step_{k + 1}.npz", overwrite=True)

    numbers = [path.identity(k / (STEPS - 1)) for k in range(STEPS)]
    Path(picture).write_bytes(draw_film(samples, captions, numbers=numbers, title="From fine and round to long grains"))
    print(f"{picture}: {Path(picture).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
