"""The pictures of the README: the scan and the box made from it, and sections of both at the same scale.

python examples/make_pictures.py data/dual_phase.ang examples/pictures
"""

from __future__ import annotations

import sys
from dataclasses import replace
from math import radians
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import microgen
from microgen.report.colours import by_grain, ipf_of_grains, ipf_of_points
from microgen.report.pictures import Window, draw_box, draw_map

GRAINS, SHAPE, DPI, GAP = 1000, (128, 128, 128), 100, 70


def main(scan_path: str, folder: str) -> None:
    scan = microgen.read(scan_path)
    segmented = microgen.segment_grains(scan)
    fitted = microgen.fit(
        microgen.Polycrystal(GRAINS), microgen.Target.from_scan(segmented, radians(5), 10), seed=0
    ).generator
    grid, grains, _ = microgen.resolve_box(GRAINS, SHAPE, None, fitted.size.resolved_mean, size_law=fitted.size)
    sample = replace(fitted, grains=grains).sample(grid, seed=0)

    Path(folder).mkdir(parents=True, exist_ok=True)
    measured = draw_map(replace(scan, grain_id=segmented.grain_id), ipf_of_points(scan), pixels=420)
    made, _ = draw_box(sample, ipf_of_grains(sample), pixels=460)
    names = (f"EBSD scan, {scan.grid.lengths[0]:.0f} µm wide", f"{grains} grains, {grid.lengths[0]:.0f} µm wide")
    save(Path(folder) / "scan_and_sample.png", zip((measured, made), names), sign="→")

    cut = sample.section(2, SHAPE[2] // 2)
    side = min(*scan.grid.lengths, *cut.grid.lengths)
    pieces = [(ms, Window.centred(ms.grid, side, side)) for ms in (segmented, cut)]
    pixels = [draw_map(ms, by_grain(ms, ipf_of_grains(ms)), window=window, pixels=420) for ms, window in pieces]
    names = (f"scan, grains after clean-up, {side:.0f} µm wide", f"section of the sample, {side:.0f} µm wide")
    save(Path(folder) / "sections.png", zip(pixels, names), sign="")


def save(path: Path, pictures: zip[tuple[np.ndarray, str]], *, sign: str) -> None:
    """Two pictures beside one another, pixel for pixel, a line of text below each and a sign between them."""
    (left, _), (right, _) = drawn = list(pictures)
    wide, high = left.shape[1] + GAP + right.shape[1], max(left.shape[0], right.shape[0]) + 30
    figure = Figure(figsize=(wide / DPI, high / DPI), dpi=DPI, facecolor="white")
    for (pixels, caption), start in zip(drawn, (0, wide - right.shape[1])):
        figure.figimage(pixels, start, 30 + (high - 30 - pixels.shape[0]) // 2, origin="upper")
        figure.text((start + pixels.shape[1] / 2) / wide, 9 / high, caption, ha="center", fontsize=10)
    figure.text((left.shape[1] + GAP / 2) / wide, 0.5, sign, ha="center", va="center", fontsize=28)
    FigureCanvasAgg(figure).print_png(path)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
