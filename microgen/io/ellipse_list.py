"""Ellipses of the grains of a plane, as PyAPD's data come: `# X_1 X_2 a b theta areas ...`, then a row a grain.

Centres and semi-axes in µm, the angle of `a` from the first axis in radians, areas in µm²; further columns (colours)
are not used. Buze et al. 2024, arXiv 2403.03571, fit such a list of a low-carbon steel. It has no box: that is the one
in which the grains have their areas, with the same margin around the centres on all sides.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile
from microgen.io.grain_table import GrainTable
from microgen.io.text import parse_table, read_lines
from microgen.microstructure import Grains

HEAD = ("x_1", "x_2", "a", "b", "theta", "areas")
_LARGEST = 2**30


def is_ellipse_list(line: str) -> bool:
    """Does a file that begins with this line hold such a list?"""
    return tuple(line.lower().lstrip("# ").split()[: len(HEAD)]) == HEAD


def read_table(path: str | Path) -> GrainTable:
    """Read a list as sites, metrics and target volumes; weights are left to be solved for.

    (y - x)^T A (y - x) is 1 on the ellipse, which is scaled to the grain's area. Raises UnreadableFile, with the line
    where there is one.
    """
    path = Path(path)
    if path.stat().st_size > _LARGEST:
        raise UnreadableFile(path, f"is larger than {_LARGEST} bytes, too large for a list of grains")
    lines = [line.replace(",", " ") for line in read_lines(path)]
    table = parse_table(path, lines, 1, columns=len(HEAD))
    values = table.values[:, : len(HEAD)]
    table.refuse(~np.isfinite(values).all(axis=1) | (np.abs(values) > 1e9).any(axis=1), "holds no finite number")
    table.refuse((values[:, [2, 3, 5]] <= 1e-9).any(axis=1), "expected semi-axes and an area above 0")
    centre, semi, turn, area = values[:, :2], values[:, 2:4], values[:, 4], values[:, 5]
    semi = semi * np.sqrt(area / (np.pi * semi.prod(axis=1)))[:, None]
    axes = np.stack([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]).transpose(2, 0, 1)
    metrics = np.einsum("nki,nk,nkj->nij", axes, semi**-2.0, axes)
    margin = _margin(np.ptp(centre, axis=0), float(area.sum()))
    if not margin > 0:
        problem = f"{len(area)} grains of {area.sum():.6g} µm² do not fill the {np.ptp(centre, axis=0)} µm between them"
        raise UnreadableFile(path, problem, remedy="The list must hold all grains of a rectangle.")
    grains = Grains(
        np.zeros(len(area), np.int16),
        np.tile([1.0, 0, 0, 0], (len(area), 1)),
        area,
        volume_target=area,
        sites=centre - centre.min(axis=0) + margin,
        metrics=(metrics + metrics.transpose(0, 2, 1)) / 2,
    )
    box, corner = np.ptp(centre, axis=0) + 2 * margin, centre.min(axis=0) - margin
    return GrainTable(grains, tuple(box.tolist()), (False, False), corner=tuple(corner.tolist()))


def _margin(extent: np.ndarray, area: float) -> float:
    """m with (extent_x + 2 m) (extent_y + 2 m) = area."""
    half = extent.sum() / 2
    return float((-half + np.sqrt(max(half**2 - extent.prod() + area, 0.0))) / 2)
