"""`interpolate`: the way from one polycrystal to another, a valid polycrystal at every t from 0 to 1.

Grains are matched (`fitting.matching`). Each pair moves its site the shortest way around the box; ln(volume) and log(A)
of its metric run straight, which is the geodesic of the distance grains are matched by (log-Euclidean: determinants,
that is sizes, run geometrically, and no shape on the way is rounder or larger than both ends; Bures' geodesic is
linear in the axes and the affine-invariant one is the same for ellipsoids with common axes, but is no straight line in
coordinates that a matching could use). Orientations turn the shortest way to a symmetric equivalent. Volumes are
normalised to the box, and weights are solved for again. Grains without a partner shrink to nothing (deaths) or grow
from nothing (births) where they are, in proportion to 1 - t or t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from microgen.core.solution import SMALL
from microgen.descriptors.grain_cloud import grain_cloud, together
from microgen.errors import InvalidParameter, NotConverged
from microgen.fitting.matching import Matching, match
from microgen.generators.polycrystal import Layout
from microgen.generators.rebuild import rebuild
from microgen.generators.solve import Solved, solve
from microgen.grid import Grid
from microgen.microstructure import Grains, Microstructure
from microgen.orientation import slerp
from microgen.provenance import Provenance

Progress = Callable[[float, str], None]
EVEN = 1.5  # largest over smallest scale of metrics that were made for their volumes; fitted ones differ by far more
LLOYD = (0, 2, 6)  # steps that are tried until all volumes are met: on the way two sites can come to lie in one place
LEAST = 4.0  # voxels: smaller targets of grains that die or are born are beyond the grid, and the grain is left out


class Moment(NamedTuple):
    """The grains at one t, before any volume is solved for."""

    grid: Grid
    layout: Layout
    first: np.ndarray
    """int [n]: grain_id in a, 0 for one that is born."""
    second: np.ndarray
    """int [n]: grain_id in b, 0 for one that dies."""


@dataclass(frozen=True, eq=False)
class Path:
    """Two polycrystals and which grain of one becomes which of the other; `at` makes the samples in between."""

    a: Microstructure
    b: Microstructure
    matching: Matching
    ids: tuple[np.ndarray, np.ndarray]
    """grain_id of the rows that the matching counts, of either side."""
    shape: tuple[int, ...]
    """Voxels of every sample."""
    tolerance: float = 0.01
    """Relative error allowed for each grain's volume."""

    @property
    def deaths(self) -> np.ndarray:
        """int: grain_id of the grains of a that shrink to nothing."""
        return self.ids[0][self.matching.deaths]

    @property
    def births(self) -> np.ndarray:
        """int: grain_id of the grains of b that grow from nothing."""
        return self.ids[1][self.matching.births]

    @property
    def distance(self) -> float:
        """Root mean square distance of the pairs, in grain spacings and factors e of an axis."""
        return math.sqrt(self.matching.cost)

    def steps(self, count: int) -> Iterator[Microstructure]:
        """Samples at 0, 1 / (count - 1), ..., 1."""
        if not (isinstance(count, int | np.integer) and count >= 2):
            raise InvalidParameter("steps", expected="a whole number, 2 or more", got=count)
        for k in range(count):
            yield self.at(k / (count - 1))

    def at(self, t: float, *, progress: Progress | None = None) -> Microstructure:
        """The polycrystal at t: the diagrams of a and b themselves at 0 and 1.

        Grains come in the order of a, those that are born after them. Raises InvalidParameter for t outside 0 to 1, and
        NotConverged (with the sample as its `best`) when a grain misses its volume, as `Polycrystal.sample` does.
        """
        if not (isinstance(t, int | float | np.number) and 0 <= t <= 1):
            raise InvalidParameter("t", expected="a number from 0 to 1", got=t)
        if t in (0, 1):
            return self._end(int(t))
        moment = self.moment(float(t))
        (solution, reshaped), lloyd = _solved(moment, self.tolerance, progress)
        assert solution.labels is not None
        labels, layout, cell = solution.labels.numpy(), moment.layout, moment.grid.cell_measure
        sites = solution.diagram.sites.numpy()
        sites = np.where(moment.grid.periodic, sites % moment.grid.lengths, sites)
        others = (each.numpy() for each in (solution.diagram.metrics, solution.diagram.weights))
        volume = solution.counts.numpy() * cell
        grains = Grains(layout.phase_id, layout.orientation, volume, layout.volumes, sites, *others)
        figures = solution.figures | {"reshaped": reshaped, "lloyd": lloyd}
        sample = self._sample(t, moment.grid, grains, labels, figures)
        if not solution.converged:
            message = f"at t = {t:g} volumes are off by up to {solution.worst:.2%}, the tolerance is "
            raise NotConverged(f"{message}{self.tolerance:.2%}. Use more voxels or a larger tolerance.", best=sample)
        return sample

    def identity(self, t: float) -> np.ndarray:
        """int [n]: a number that each grain of `at(t)` has all along the way: grain_id in a, births beyond them."""
        first, second = self._origin(t)
        born = np.searchsorted(self.births, second)
        return np.where(first > 0, first, len(_table(self.a)) + 1 + born)

    def moment(self, t: float) -> Moment:
        """Targets at 0 < t < 1. Raises InvalidParameter where the grid has too few voxels."""
        first, second = (self._shown(ms, ids) for ms, ids in zip((self.a, self.b), self.ids))
        m, rows_a, rows_b = self.matching, self.matching.first, self.matching.second
        grid = self._grid(t)
        place = _midway(first.place[rows_a], second.place[rows_b], t, grid.periodic)
        logs = (1 - t) * first.log_metric[rows_a] + t * second.log_metric[rows_b]
        share = first.share[rows_a] ** (1 - t) * second.share[rows_b] ** t
        q = _turned(self.a, first, second, m, t)
        alone = [(first, m.deaths, 1 - t), (second, m.births, t)]
        share = np.concatenate([share, *(s.share[rows] * part for s, rows, part in alone)])
        place = np.concatenate([place, *(s.place[rows] for s, rows, _ in alone)])
        shrunk = [s.log_metric[rows] - 2 / grid.ndim * math.log(part) * np.eye(grid.ndim) for s, rows, part in alone]
        phase = np.concatenate([first.phase[rows_a], first.phase[m.deaths], second.phase[m.births]])
        q = np.concatenate([q, *(s.orientation[rows] for s, rows, _ in alone)])
        kept, names = self._order(share * grid.size / share.sum())
        volumes = share[kept] / share[kept].sum() * math.prod(grid.lengths)
        metrics = _exp(np.concatenate([logs, *shrunk])[kept])
        sites = place[kept] * np.asarray(grid.lengths)
        layout = Layout(sites, metrics, volumes, phase[kept].astype(np.int16), q[kept], math.nan)
        return Moment(grid, layout, *names)

    def _order(self, voxels: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Rows (pairs, deaths, births) in the order of a with births last, without unpaired ones below LEAST."""
        m, (ids_a, ids_b) = self.matching, self.ids
        first = np.concatenate([ids_a[m.first], self.deaths, np.zeros(len(m.births), int)])
        second = np.concatenate([ids_b[m.second], np.zeros(len(m.deaths), int), self.births])
        kept = np.flatnonzero(((first > 0) & (second > 0)) | (voxels >= LEAST))
        kept = kept[np.lexsort((second[kept], np.where(first[kept] > 0, first[kept], np.iinfo(int).max)))]
        return kept, (first[kept], second[kept])

    def _origin(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """grain_id in a and in b of each grain at t; 0 for none."""
        if 0 < t < 1:
            return self.moment(t)[2:]
        own, (ids_a, ids_b) = np.arange(1, len(_table((self.a, self.b)[int(t)])) + 1), self.ids
        here, there = (ids_a[self.matching.first], ids_b[self.matching.second])[:: 1 if t == 0 else -1]
        partner = np.zeros(len(own) + 1, int)
        partner[here] = there
        return (own, partner[1:]) if t == 0 else (partner[1:], own)

    def _grid(self, t: float) -> Grid:
        lengths = [p ** (1 - t) * q**t for p, q in zip(self.a.grid.lengths, self.b.grid.lengths)]
        return Grid(self.shape, tuple(v / n for v, n in zip(lengths, self.shape)), periodic=self.a.grid.periodic)

    def _end(self, t: int) -> Microstructure:
        """The diagram of a or b, on the path's voxels."""
        ms, grid = (self.a, self.b)[t], self._grid(t)
        table = _table(ms)
        assert table.sites is not None
        moved = replace(table, sites=table.sites - np.asarray(ms.grid.origin))
        made = rebuild(moved, grid, lengths=ms.grid.lengths, periodic=ms.grid.periodic, phases=ms.phases)
        assert made.grain_id is not None
        assert made.grains is not None
        grains = replace(made.grains, phase_id=_renumbered(ms, self.a)[table.phase_id])
        wanted = table.volume if table.volume_target is None else table.volume_target
        target = wanted * grid.size / wanted.sum()
        error = np.abs(grains.volume / grid.cell_measure / np.maximum(target, 1e-300) - 1)
        large = error[target >= SMALL]
        figures = {"volume_error_max": float(error.max()), "volume_error_mean": float(error.mean())}
        figures |= {"volume_error_max_400": float(large.max(initial=0.0)), "grains_below_400": len(error) - len(large)}
        return self._sample(t, grid, grains, made.grain_id, {**figures, "grains": len(grains), "status": "given"})

    def _shown(self, ms: Microstructure, ids: np.ndarray) -> _End:
        return _End.of(ms, ids - 1, _renumbered(ms, self.a))

    def _sample(
        self, t: float, grid: Grid, grains: Grains, labels: np.ndarray, figures: dict[str, Any]
    ) -> Microstructure:
        phase = np.asarray(grains.phase_id).astype(np.int16)[labels - 1]
        made = Provenance("interpolate", {"t": float(t), "tolerance": self.tolerance}, achieved=figures)
        return Microstructure(grid, phase, self.a.phases, labels.astype(np.int32), grains=grains, provenance=made)


def interpolate(
    a: Microstructure, b: Microstructure, *, shape: tuple[int, ...] | None = None, tolerance: float = 0.01
) -> Path:
    """The way from polycrystal a to b: `interpolate(a, b).at(0.5)` is the one half way.

    Both must hold the diagrams that their grains are cells of (`reconstruct(ms).render()` finds one for any map).
    Boxes may differ: places are shares of them. `shape` is the number of voxels of the samples, by default those of a.
    Raises InvalidParameter for planes and volumes together, other phases, boxes periodic along different axes, and
    samples without diagrams.
    """
    for name, ms in (("a", a), ("b", b)):
        grains = ms.grains
        if grains is None or grains.sites is None or grains.metrics is None or grains.weights is None:
            remedy = "Fit one first: microgen.reconstruct(ms).render()."
            raise InvalidParameter(name, expected="a sample with sites, metrics and weights", got="none", remedy=remedy)
        if not isinstance(ms.grid, Grid):
            raise InvalidParameter(name, expected="a sample on a square grid", got=type(ms.grid).__name__)
        parts = (grains.sites, grains.metrics, grains.weights, grains.orientation)
        if not all(np.isfinite(part).all() for part in parts) or np.linalg.eigvalsh(grains.metrics).min() <= 0:
            raise InvalidParameter(name, expected="finite numbers and positive definite metrics", got="others")
    if not 0 < tolerance < 1:
        raise InvalidParameter("tolerance", expected="a number between 0 and 1", got=tolerance)
    first, second = together(a, b)
    if tuple(a.grid.periodic) != tuple(b.grid.periodic):
        got = f"{a.grid.periodic} and {b.grid.periodic}"
        raise InvalidParameter("a, b", expected="boxes that are periodic along the same axes", got=got)
    _renumbered(b, a)
    shape = tuple(shape or a.grid.shape)
    if len(shape) != a.grid.ndim:
        raise InvalidParameter("shape", expected=f"{a.grid.ndim} numbers of voxels", got=shape)
    return Path(a, b, match(first, second), (first.grain_id, second.grain_id), shape, tolerance)


@dataclass(frozen=True, eq=False)
class _End:
    """The grains of one side that have points, in the numbers of the path."""

    place: np.ndarray
    log_metric: np.ndarray
    share: np.ndarray
    phase: np.ndarray
    orientation: np.ndarray

    @classmethod
    def of(cls, ms: Microstructure, rows: np.ndarray, numbers: np.ndarray) -> _End:
        grains = _table(ms)
        assert grains.sites is not None
        assert grains.metrics is not None
        place = (grains.sites[rows] - np.asarray(ms.grid.origin)) / np.asarray(ms.grid.lengths)
        values, vectors = np.linalg.eigh(grains.metrics[rows])
        logs = np.einsum("nij,nj,nkj->nik", vectors, np.log(values), vectors)
        if not _even(logs, np.asarray(grains.volume, float)[rows]):
            place, logs = _measured(ms, rows)
        counts = np.bincount(ms.grain_id.ravel(), minlength=len(grains) + 1)[1:][rows]  # type: ignore[union-attr]
        phase, q = numbers[grains.phase_id[rows]], np.asarray(grains.orientation, float)[rows]
        return cls(place, logs, counts / counts.sum(), phase, q)


def _solved(moment: Moment, tolerance: float, progress: Progress | None) -> tuple[Solved, int]:
    """Weights that meet the volumes, after no more Lloyd steps than that takes; the best where none does."""
    tried: list[tuple[Solved, int]] = []
    for lloyd in LLOYD:
        found = solve(moment.layout, moment.grid, tolerance=tolerance, steps=lloyd, progress=progress)
        tried.append((found, lloyd))
        if found.solution.converged:
            break
    return min(tried, key=lambda each: each[0].solution.worst)


def _even(logs: np.ndarray, volumes: np.ndarray) -> bool:
    """Is det A_i ~ v_i^-2, as of metrics that are made for volumes? Those of a fitted diagram only part its points: on
    the way their sites lie in other cells, and no weights give all grains their volume."""
    d = logs.shape[1]
    scale = np.trace(logs, axis1=1, axis2=2) / d + 2 / d * np.log(np.maximum(volumes, 1e-300))
    return bool(np.ptp(scale) <= math.log(EVEN))


def _measured(ms: Microstructure, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroids in shares of the box, and logs of the metrics whose unit balls are the grains' own ellipsoids."""
    cloud = grain_cloud(ms)
    cloud = cloud.take(np.searchsorted(cloud.grain_id, rows + 1))
    size = 2 / cloud.ndim * np.log(cloud.measure)
    return cloud.place, -2 * cloud.log_shape - size[:, None, None] * np.eye(cloud.ndim)


def _turned(a: Microstructure, first: _End, second: _End, matching: Matching, t: float) -> np.ndarray:
    """Orientations of the pairs, each phase with its own symmetry."""
    start, end = first.orientation[matching.first], second.orientation[matching.second]
    phase, out = first.phase[matching.first], start.copy()
    for k in np.unique(phase):
        mine = phase == k
        group = a.phases[k].laue_group if 0 <= k < len(a.phases) else "-1"
        out[mine] = slerp(start[mine], end[mine], t, group)
    return out


def _midway(a: np.ndarray, b: np.ndarray, t: float, periodic: tuple[bool, ...]) -> np.ndarray:
    """Places between a and b, in shares of the box, the shortest way around it."""
    way = b - a
    way -= np.where(periodic, np.rint(way), 0.0)
    place = a + t * way
    return np.where(periodic, place % 1.0, place)


def _exp(logs: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(logs)
    out = np.einsum("nij,nj,nkj->nik", vectors, np.exp(values), vectors)
    return (out + out.transpose(0, 2, 1)) / 2


def _table(ms: Microstructure) -> Grains:
    assert ms.grains is not None  # `interpolate` has looked
    return ms.grains


def _renumbered(ms: Microstructure, like: Microstructure) -> np.ndarray:
    """int [phases + 1]: the number that each phase has in `like`, by name; the only one that occurs is the only one."""
    used, wanted = (np.unique(_table(m).phase_id) for m in (ms, like))
    table = np.full(max(len(ms.phases), int(used.max()) + 1) + 1, -1)
    if len(used) == len(wanted) == 1:
        table[used[0]] = wanted[0]
    else:
        number = {like.phases[k].name: k for k in wanted if 0 <= k < len(like.phases)}
        for k in used:
            table[k] = number.get(ms.phases[k].name, -1) if 0 <= k < len(ms.phases) else -1
    for k in used:
        pair = [m.phases[j].laue_group for m, j in ((ms, k), (like, table[k])) if 0 <= j < len(m.phases)]
        if len(set(pair)) > 1:
            raise InvalidParameter("a, b", expected="phases of one symmetry", got=" and ".join(pair))
    return table
