"""What the files of solvers hold: a volume of numbered grains, each of one phase and one orientation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io.embedded import square_grid
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import grain_means


@dataclass(frozen=True, eq=False)
class GrainVolume:
    """Grains 1 .. n on a grid of voxels; row k of the tables belongs to grain k + 1."""

    grid: Grid
    labels: np.ndarray
    """int32 [x, y, z]: 0 for void."""
    phase_id: np.ndarray
    """int [n]: index into `phases`."""
    orientation: np.ndarray
    """float64 [n, 4]: unit quaternions, passive, scalar not negative."""
    phases: tuple[Phase, ...]
    """One at least; made up where the sample names none."""

    @property
    def voxels(self) -> np.ndarray:
        """int64 [n + 1]: voxels of the void and of each grain."""
        return np.bincount(self.labels.ravel(), minlength=len(self.phase_id) + 1)


def volume_grid(ms: Microstructure, what: str) -> Grid:
    """The grid of a sample in 3-D. Raises InvalidParameter."""
    grid = square_grid(ms, what)
    if grid.ndim != 3:
        remedy = "Make a volume (--shape with 3 numbers), or write the plane as .tif or .vti."
        raise InvalidParameter("grid", expected=f"a volume for {what}", got=f"a plane of {grid.shape}", remedy=remedy)
    return grid


def grain_volume(ms: Microstructure, what: str) -> GrainVolume:
    """The grains of a sample for a file of `what`, with their phases and orientations.

    Where the points have orientations and the grains none, a grain gets the mean over its points.
    Raises InvalidParameter for planes, for samples without grains and for grains without orientation.
    """
    grid = volume_grid(ms, what)
    labels = ms.grain_id
    if labels is None or labels.max(initial=0) < 1:
        remedy = "Write a polycrystal, or a scan whose grains were found (segment_grains)."
        got = "a sample without grains" if labels is None else "a sample that is all void"
        raise InvalidParameter("grains", expected=f"numbered grains for {what}", got=got, remedy=remedy)
    known = len(ms.grains) if ms.grains is not None else int(labels.max())
    if labels.min() < 0 or labels.max() > known:
        got = f"numbers from {labels.min()} to {labels.max()}"
        raise InvalidParameter("grain_id", expected=f"grains 0 (void) to {known}", got=got)
    phase_id = _phase_of_grain(ms, labels, known)
    orientation = _orientation_of_grain(ms, phase_id, what)
    return GrainVolume(grid, labels, phase_id, orientation, phases_of(ms, phase_id))


def phases_of(ms: Microstructure, phase_id: np.ndarray) -> tuple[Phase, ...]:
    """The phases, with stand-ins (cubic) for those that the sample numbers but does not name."""
    count = max(int(phase_id.max(initial=0)) + 1, len(ms.phases))
    return ms.phases + tuple(Phase(f"phase_{k + 1}") for k in range(len(ms.phases), count))


def _phase_of_grain(ms: Microstructure, labels: np.ndarray, known: int) -> np.ndarray:
    """int64 [n]: the phase in which a grain lies; grains of no phase count to the first."""
    if ms.grains is not None:
        return np.maximum(ms.grains.phase_id.astype(np.int64), 0)
    table = np.zeros(known + 1, np.int64)
    inside = ms.phase_id >= 0
    table[labels[inside]] = ms.phase_id[inside]
    return table[1:]


def _orientation_of_grain(ms: Microstructure, phase_id: np.ndarray, what: str) -> np.ndarray:
    if ms.grains is not None:
        q = np.asarray(ms.grains.orientation, float)
    elif ms.orientation is not None and ms.grain_id is not None:
        groups = [phase.laue_group for phase in phases_of(ms, phase_id)]
        q = grain_means(ms.orientation, ms.grain_id, phase_id, groups)
    else:
        remedy = "Give a file that holds orientations: .vti, or make one of its table: microgen polycrystal --sites."
        raise InvalidParameter("orientation", expected=f"orientations for {what}", got="none", remedy=remedy)
    norm = np.linalg.norm(q, axis=1, keepdims=True)
    if not np.all(np.abs(norm - 1) < 1e-3):
        raise InvalidParameter("orientation", expected="unit quaternions", got=f"norms to {norm.max():g}")
    return np.where(q[:, :1] < 0, -q, q) / norm
