"""Made-up samples, scans and statistics for the report's tests."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from microgen.grid import Grid, HexGrid
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.orientation import random_orientations


@dataclass(frozen=True)
class FakeStatistic:
    """Has what the report reads."""

    target: float = 1.0
    achieved: float = 1.1
    distance: float = 0.05
    noise_floor: float = 0.04
    noise_floor_p95: float = 0.08
    in_objective: bool = True
    unit: str = "µm"
    target_values: object = None
    achieved_values: object = None


def make_sample(
    grid: Grid | HexGrid, *, grains: int = 12, phases: tuple[Phase, ...] = (Phase("Ni"),), seed: int = 0
) -> Microstructure:
    """Voronoi cells with random phases and orientations."""
    rng = np.random.default_rng(seed)
    sites = rng.random((grains, grid.ndim)) * grid.lengths
    labels = (cKDTree(sites).query(grid.points())[1] + 1).reshape(grid.shape).astype(np.int32)
    phase = rng.integers(0, len(phases), grains)
    volume = np.bincount(labels.ravel(), minlength=grains + 1)[1:] * grid.cell_measure
    table = Grains(
        phase, random_orientations(grains, rng), volume, volume_target=volume * rng.uniform(0.99, 1.01, grains)
    )
    return Microstructure(grid, phase[labels - 1].astype(np.int16), phases, labels, grains=table)


def as_scan(segmented: Microstructure) -> Microstructure:
    """What a microscope would have given: orientations per point, some points not indexed."""
    phase = segmented.phase_id.copy()
    phase[3:5, 2:4] = -1
    orientation = segmented.point_orientation
    return replace(
        segmented, phase_id=phase, orientation=orientation, grain_id=None, grains=None, notes=("step < header",)
    )
