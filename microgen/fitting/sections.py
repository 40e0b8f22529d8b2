"""Sections of a sample on the points of a scan, straight from its power diagram: no voxels in between.

The plane is spanned by the body's x and y, its normal is z; a body can be turned so that these are others of its axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from microgen.core.power_diagram import PowerDiagram
from microgen.errors import InvalidParameter
from microgen.fitting import views
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure, Phase

MOST = 12  # planes
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, eq=False)
class Body:
    """A sample without its voxels: the diagram, and phase and orientation of each cell."""

    diagram: PowerDiagram
    phase_id: np.ndarray
    orientation: np.ndarray
    phases: tuple[Phase, ...]

    @classmethod
    def of(cls, sample: Microstructure) -> Body:
        """The diagram that a sample's table of grains holds. Raises InvalidParameter when it holds none."""
        grains, grid = sample.grains, sample.grid
        if grains is None or grains.sites is None or grains.metrics is None or grains.weights is None:
            raise InvalidParameter("sample", expected="a sample with sites, metrics and weights", got="none of them")
        if not isinstance(grid, Grid) or grid.ndim != 3:
            raise InvalidParameter("sample", expected="a 3-D sample", got=grid)
        arrays = (grains.sites - np.asarray(grid.origin), grains.metrics, grains.weights)
        sites, metrics, weights = (torch.from_numpy(np.array(a, np.float64)) for a in arrays)
        diagram = PowerDiagram(sites, metrics, weights, grid.lengths, grid.periodic)
        return cls(diagram, np.asarray(grains.phase_id), np.asarray(grains.orientation), sample.phases)

    def turned(self, plane: str) -> Body:
        """The same body with the axes that span a plane (see `views`) as its x and y, and orientations seen so."""
        if plane == "xy":
            return self
        order, of = list(views.axes(plane)), self.diagram
        lengths, periodic = tuple(of.lengths[k] for k in order), tuple(of.periodic[k] for k in order)
        diagram = PowerDiagram(of.sites[:, order], of.metrics[:, order][:, :, order], of.weights, lengths, periodic)
        return replace(self, diagram=diagram, orientation=views.seen(self.orientation, plane))


def sections(body: Body, scan: Grid | HexGrid, *, rng: np.random.Generator) -> Iterator[Microstructure]:
    """Up to twelve planes across z on the scan's points, far apart whatever their number, each at its own offset.

    Heights follow the golden ratio from a random start. Where the sample is smaller than the scan it repeats along its
    periodic axes; along the others the window shrinks to it.
    """
    window = _window(body, scan)
    lengths, periodic = body.diagram.lengths, body.diagram.periodic
    heights = (rng.random() + GOLDEN * np.arange(MOST)) % 1 * lengths[2]
    room = [lengths[k] if periodic[k] else max(lengths[k] - window.lengths[k], 0.0) for k in range(2)]
    for height, (x, y) in zip(heights, rng.random((MOST, 2)) * room):
        yield section(body, window, corner=(x, y), height=float(height))


def section(body: Body, grid: Grid | HexGrid, *, corner: tuple[float, float], height: float) -> Microstructure:
    """The sample at z = height (µm) on the points of `grid`, whose own corner comes to lie on `corner` (µm)."""
    cell = np.zeros(grid.shape, np.int64)
    if isinstance(grid, HexGrid):
        for row in (0, 1):  # every second row is a row of one rectangular lattice
            count = len(range(row, grid.shape[1], 2))
            shift = 0.5 * grid.step * (row == grid.shifted)
            start = (corner[0] + shift, corner[1] + (row - 0.5) * grid.pitch)
            if count:
                cell[:, row::2] = _cells(body, (grid.shape[0], count), (grid.step, 2 * grid.pitch), (*start, height))
    else:
        cell = _cells(body, grid.shape, grid.spacing, (*corner, height))
    return Microstructure(
        grid,
        body.phase_id[cell].astype(np.int16),
        body.phases,
        orientation=body.orientation[cell],
        measured=grid.exists() if isinstance(grid, HexGrid) else None,
    )


def _cells(
    body: Body, shape: tuple[int, ...], spacing: tuple[float, ...], start: tuple[float, float, float]
) -> np.ndarray:
    """Cell 0.. at the points of a rectangle across z: int [shape]."""
    thin = min(spacing)
    plane = Grid((*shape, 1), (*spacing, thin), (start[0], start[1], start[2] - thin / 2))
    return body.diagram.labels(plane).numpy()[:, :, 0] - 1


def _window(body: Body, scan: Grid | HexGrid) -> Grid | HexGrid:
    """The scan's grid with its corner at zero, cut to the sample along the axes that do not repeat."""
    shape = []
    for axis in range(2):
        step, room = scan.spacing[axis], body.diagram.lengths[axis]
        fits = scan.shape[axis] if body.diagram.periodic[axis] else min(scan.shape[axis], int(room / step))
        shape.append(max(fits, 1))
    if isinstance(scan, HexGrid):
        return replace(scan, shape=tuple(shape), origin=(0.0, 0.0))
    return Grid(tuple(shape), scan.spacing)
