"""`Microstructure`: the one frozen value that scans, volumes and samples are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

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
        """The plane of voxels `index` across `axis` of a volume, as a 2-D microstructure.

        Grain ids are kept as they are; the table of grains has their areas in the plane, and no diagram.
        Raises InvalidParameter for planes, axes and layers that are not there.
        """
        if not isinstance(self.grid, Grid) or self.grid.ndim != 3:
            raise InvalidParameter("section", expected="a 3-D microstructure", got=self.grid)
        index = _layer(self.grid, axis, index)
        return self._take(
            _plane(self.grid, axis), lambda array: np.take(array, index, axis=axis), section=[axis, index]
        )

    def crop(self, start: tuple[int, ...], stop: tuple[int, ...]) -> Microstructure:
        """The box of points start <= index < stop, no longer periodic.

        Grain ids are kept as they are; the table of grains has their volumes in the box, and no diagram.
        Raises InvalidParameter for hexagonal grids and for points that are not there.
        """
        if not isinstance(self.grid, Grid):
            raise InvalidParameter("crop", expected="a square grid", got=self.grid)
        grid, cut = _box(self.grid, start, stop), tuple(slice(a, b) for a, b in zip(start, stop))
        return self._take(grid, lambda array: array[cut], crop=[list(start), list(stop)])

    def _take(self, grid: Grid, pick: Callable[[np.ndarray], np.ndarray], **step: list[Any]) -> Microstructure:
        arrays = {
            name: None if getattr(self, name) is None else pick(getattr(self, name))
            for name in ("phase_id", "grain_id", "orientation", "level_set", "grey", "measured")
        }
        told = {"grains": _in_part(self.grains, arrays["grain_id"], grid), "provenance": _cut(self.provenance, step)}
        return replace(self, grid=grid, **told, **arrays)


def _layer(grid: Grid, axis: int, index: int) -> int:
    """The number of a layer from 0; raises InvalidParameter for an axis or a layer that is not there."""
    if axis not in (0, 1, 2):
        raise InvalidParameter("axis", expected="0, 1 or 2", got=axis)
    n = grid.shape[axis]
    if not -n <= index < n:
        raise InvalidParameter("index", expected=f"a number from {-n} to {n - 1}", got=index)
    return int(index) % n


def _plane(grid: Grid, axis: int) -> Grid:
    keep, parts = [k for k in range(3) if k != axis], ("shape", "spacing", "origin", "periodic")
    return Grid(*(tuple(getattr(grid, name)[k] for k in keep) for name in parts))


def _box(grid: Grid, start: Sequence[int], stop: Sequence[int]) -> Grid:
    """The grid of the points start <= index < stop. Raises InvalidParameter for what is not inside."""
    shape = grid.shape
    if not len(start) == len(stop) == len(shape) or not all(0 <= a < b <= n for a, b, n in zip(start, stop, shape)):
        expected = f"0 <= start < stop <= {' '.join(map(str, shape))}"
        raise InvalidParameter("start, stop", expected=expected, got=(tuple(start), tuple(stop)))
    origin = tuple(o + a * h for o, a, h in zip(grid.origin, start, grid.spacing))
    return Grid(tuple(b - a for a, b in zip(start, stop)), grid.spacing, origin)


def _in_part(grains: Grains | None, grain_id: np.ndarray | None, grid: Grid) -> Grains | None:
    """The table for a part of a sample: volumes (areas) are those in it, and the diagram, which is of the whole box, is
    left out."""
    if grains is None or grain_id is None:
        return grains
    counts = np.bincount(grain_id.ravel(), minlength=len(grains) + 1)[1 : len(grains) + 1]
    return Grains(grains.phase_id, grains.orientation, counts * grid.cell_measure)


def _cut(made: Provenance | None, step: dict[str, list[Any]]) -> Provenance | None:
    """How a part was made: as the whole, and then cut; what the whole achieved does not hold for it."""
    if made is None:
        return None
    steps = [*made.configuration.get("converted", []), step]
    return replace(made, configuration={**made.configuration, "converted": steps}, achieved={})


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
        grid, step = _box(self.grid, start, stop), [list(start), list(stop)]
        return self._part(grid, self.tiles.labels(tuple(start), tuple(stop)), crop=step)

    def section(self, axis: int, index: int) -> Microstructure:
        """The plane of voxels `index` across `axis`, as a 2-D microstructure."""
        index = _layer(self.grid, axis, index)
        start, stop = [0, 0, 0], list(self.grid.shape)
        start[axis], stop[axis] = index, index + 1
        labels = self.tiles.labels(tuple(start), tuple(stop)).squeeze(axis)
        return self._part(_plane(self.grid, axis), labels, section=[axis, index])

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

    def _part(self, grid: Grid, labels: np.ndarray, **step: list[Any]) -> Microstructure:
        part = self._on(grid, labels)
        told = {"grains": _in_part(self.grains, part.grain_id, grid), "provenance": _cut(self.provenance, step)}
        return replace(part, **told)

    def _on(self, grid: Grid, labels: np.ndarray) -> Microstructure:
        labels = np.ascontiguousarray(labels)
        phase_id = self.grains.phase_id.astype(np.int16)[labels - 1]
        return Microstructure(grid, phase_id, self.phases, labels, grains=self.grains, provenance=self.provenance)
