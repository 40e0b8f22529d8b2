"""`Microstructure`: the one frozen value that scans, volumes and samples are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid, HexGrid
from microgen.provenance import Provenance


@dataclass(frozen=True)
class Phase:
    """A crystalline (or other) phase."""

    name: str
    laue_group: str = "m-3m"
    """One of the eleven Laue groups: -1 2/m mmm -3 -3m 4/m 4/mmm 6/m 6/mmm m-3 m-3m."""
    lattice: tuple[float, ...] = ()
    """a, b, c in Å and alpha, beta, gamma in degrees; empty when unknown."""


@dataclass(frozen=True, eq=False)
class Grains:
    """What is known of each grain; row k belongs to grain_id k + 1."""

    phase_id: np.ndarray
    """int [n]"""
    orientation: np.ndarray
    """float64 [n, 4]: unit quaternion, scalar first, passive (sample to crystal)."""
    volume: np.ndarray
    """float64 [n]: achieved volume in µm³ (area in µm² in a plane)."""
    volume_target: np.ndarray | None = None
    """float64 [n]: prescribed volume, same unit."""
    sites: np.ndarray | None = None
    """float64 [n, d]: sites of the power diagram, µm."""
    metrics: np.ndarray | None = None
    """float64 [n, d, d]: metrics A_i of the power diagram, 1/µm² (dimensionless cost)."""
    weights: np.ndarray | None = None
    """float64 [n]: weights of the power diagram, unit of the cost."""

    def __len__(self) -> int:
        return len(self.phase_id)


@dataclass(frozen=True, eq=False)
class Microstructure:
    """Measured or synthetic material on a grid. Arrays have shape `grid.shape`, order [x, y(, z)]."""

    grid: Grid | HexGrid
    phase_id: np.ndarray
    """int16: index into `phases`; -1 where there is void or nothing was indexed."""
    phases: tuple[Phase, ...] = ()
    grain_id: np.ndarray | None = None
    """int32: 1..N, 0 for void or not indexed."""
    orientation: np.ndarray | None = None
    """float32 or float64 [..., 4] per point (scans): unit quaternion, scalar first, passive, map frame."""
    level_set: np.ndarray | None = None
    """float: the solid is where it is positive."""
    grey: np.ndarray | None = None
    """Measured brightness (µCT), of the type the file has."""
    measured: np.ndarray | None = None
    """bool: points present in the file (None: all). Points can be present and yet not indexed."""
    grains: Grains | None = None
    provenance: Provenance | None = None
    notes: tuple[str, ...] = ()
    """What the reader found worth saying: conventions applied, header and data that disagree."""

    def __post_init__(self) -> None:
        for name in ("phase_id", "grain_id", "level_set", "grey", "measured"):
            array = getattr(self, name)
            if array is not None and tuple(array.shape) != tuple(self.grid.shape):
                raise InvalidParameter(name, expected=f"shape {self.grid.shape}", got=array.shape)
        if self.orientation is not None and self.orientation.shape != (*self.grid.shape, 4):
            raise InvalidParameter("orientation", expected=f"shape {(*self.grid.shape, 4)}", got=self.orientation.shape)

    @property
    def point_orientation(self) -> np.ndarray:
        """float [..., 4]: orientation at every point, taken from the grain where points have none of their own."""
        if self.orientation is not None:
            return self.orientation
        if self.grain_id is None or self.grains is None:
            raise InvalidParameter("orientation", expected="a microstructure with orientations", got=None)
        table = np.vstack([[1.0, 0.0, 0.0, 0.0], self.grains.orientation])
        return table[self.grain_id]

    def section(self, axis: int, index: int) -> Microstructure:
        """The plane of voxels `index` across `axis` of a volume, as a 2-D microstructure."""
        if not isinstance(self.grid, Grid) or self.grid.ndim != 3:
            raise InvalidParameter("section", expected="a 3-D microstructure", got=self.grid)
        keep = [k for k in range(3) if k != axis]
        parts = ("shape", "spacing", "origin", "periodic")
        grid = Grid(*(tuple(getattr(self.grid, name)[k] for k in keep) for name in parts))
        return self._take(grid, lambda array: np.take(array, index, axis=axis), grains_kept=True)

    def crop(self, start: tuple[int, ...], stop: tuple[int, ...]) -> Microstructure:
        """The box of points start <= index < stop, no longer periodic; grain ids are kept as they are."""
        if not isinstance(self.grid, Grid):
            raise InvalidParameter("crop", expected="a square grid", got=self.grid)
        cut = tuple(slice(a, b) for a, b in zip(start, stop))
        origin = tuple(o + a * h for o, a, h in zip(self.grid.origin, start, self.grid.spacing))
        grid = Grid(tuple(b - a for a, b in zip(start, stop)), self.grid.spacing, origin)
        return self._take(grid, lambda array: array[cut], grains_kept=True)

    def _take(self, grid: Grid, pick, *, grains_kept: bool) -> Microstructure:
        arrays = {
            name: None if getattr(self, name) is None else pick(getattr(self, name))
            for name in ("phase_id", "grain_id", "orientation", "level_set", "grey", "measured")
        }
        return replace(self, grid=grid, grains=self.grains if grains_kept else None, **arrays)


class Labels(Protocol):
    """What makes any part of a volume of labels."""

    def labels(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        """int32 [stop - start]: the labels 1..n of the voxels start <= index < stop."""
        ...

    def many(self, boxes: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]) -> Iterator[np.ndarray]:
        """The labels of one box (start, stop) after the other; some may be made ahead."""
        ...

    def on(self, grid: Grid) -> np.ndarray:
        """int32 [grid.shape]: the labels on another grid of the box, islands as they are there."""
        ...


@dataclass(frozen=True, eq=False)
class TiledMicrostructure:
    """A polycrystal on a 3-D grid whose voxels are made where they are asked for, and never held as a whole.

    `section` and `crop` give what they give of a `Microstructure`, bit for bit.
    """

    grid: Grid
    tiles: Labels
    phases: tuple[Phase, ...]
    grains: Grains
    provenance: Provenance | None = None

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> Microstructure:
        """The box of points start <= index < stop, no longer periodic; grain ids are kept as they are."""
        shape = self.grid.shape
        if len(start) != 3 or len(stop) != 3 or not all(0 <= a < b <= n for a, b, n in zip(start, stop, shape)):
            expected = f"0 <= start < stop <= {' '.join(map(str, shape))}"
            raise InvalidParameter("start, stop", expected=expected, got=(tuple(start), tuple(stop)))
        origin = tuple(o + a * h for o, a, h in zip(self.grid.origin, start, self.grid.spacing))
        grid = Grid(tuple(b - a for a, b in zip(start, stop)), self.grid.spacing, origin)
        return self._on(grid, self.tiles.labels(tuple(start), tuple(stop)))

    def section(self, axis: int, index: int) -> Microstructure:
        """The plane of voxels `index` across `axis`, as a 2-D microstructure."""
        n = self.grid.shape[axis]
        if not -n <= index < n:
            raise InvalidParameter("index", expected=f"a number from {-n} to {n - 1}", got=index)
        index %= n
        start, stop = [0, 0, 0], list(self.grid.shape)
        start[axis], stop[axis] = index, index + 1
        labels = self.tiles.labels(tuple(start), tuple(stop)).squeeze(axis)
        keep = [k for k in range(3) if k != axis]
        parts = ("shape", "spacing", "origin", "periodic")
        return self._on(Grid(*(tuple(getattr(self.grid, name)[k] for k in keep) for name in parts)), labels)

    def coarse(self, most: int = 128) -> Microstructure:
        """The whole on a grid of at most so many points along an axis, for pictures: small islands are left in it."""
        step = max(1.0, max(self.grid.shape) / most)
        shape = tuple(max(1, round(n / step)) for n in self.grid.shape)
        spacing = tuple(length / n for length, n in zip(self.grid.lengths, shape))
        grid = Grid(shape, spacing, self.grid.origin, self.grid.periodic)
        return self._on(grid, self.tiles.on(grid))

    def whole(self) -> Microstructure:
        """All of it in memory."""
        return self._on(self.grid, self.tiles.labels((0, 0, 0), self.grid.shape))

    def _on(self, grid: Grid, labels: np.ndarray) -> Microstructure:
        labels = np.ascontiguousarray(labels)
        phase_id = self.grains.phase_id.astype(np.int16)[labels - 1]
        return Microstructure(grid, phase_id, self.phases, labels, grains=self.grains, provenance=self.provenance)
