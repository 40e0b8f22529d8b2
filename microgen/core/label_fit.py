"""The power diagram whose cells are the grains of a label map, point by point.

A label is the arg max of scores s_i(y) = w_i - (y - x_i)^T A_i (y - x_i), each linear in the coefficients of 1, y and
y y^T: a power diagram is a linear classifier over these features. (Buze et al. 2024, arXiv 2403.03571, fit the volumes
of grains; here their labels are fitted.) Moments first: x_i the centroid, A_i = ((d + 2) cov_i)^-1, w_i = 1, so that
each cost is 1 on the ellipsoid of the grain's own second moments. Then the multinomial logistic loss over the points
near boundaries and the few grains near each, which is convex in the coefficients and finds the way past wrong moments;
then 1 - p, whose limit is the number of wrong points, in turns with -log p at falling temperatures (limited-memory
BFGS).
Points that a grain from far away would win are found by exact labels on the way, and join.

Adding one quadratic function to all scores changes no label, and neither does multiplying all by a number: a weak
pull towards the moments fixes both. A_i = L_i L_i^T + eps keeps the metrics positive definite, so that the result is a
diagram like any other: sites stay in or near their grains and the search for cells stays quick. That has its
price: an earlier schedule without it left 0.3 to 0.6 % fewer points wrong on four scans, with up to 4 metrics a scan
indefinite and some sites far outside their grains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.spatial import KDTree
from threadpoolctl import threadpool_limits

from microgen.core.kernels import label_loss
from microgen.core.power_diagram import PowerDiagram
from microgen.grid import Grid, HexGrid

LEAST = 0.02  # of the moments' metric: least eigenvalue, in the grain's own coordinates
PULL, LATE_PULL = 0.01, 0.0002  # towards the moments, per temperature; and once grains are in place
WARM = 0.15  # from this temperature on they are not
NEAR = {2: 3.0, 3: 2.0}  # points this near (in points) to another grain take part, and know that grain
CHUNK = 25  # steps, after which exact labels tell which grains win points from afar
MANY, TRIES = 0.002, 3  # where they win more than this share, the steps are made again with them, so often at most
STAGES = (
    (False, 0.3, 200),
    (True, 0.3, 100),
    (True, 0.15, 100),
    (False, 0.1, 75),  # -log p again, sharper: it leaves the local minima of 1 - p
    (True, 0.1, 100),
    (False, 0.03, 125),
    (True, 0.03, 100),
)
"""Of each stage: 1 - p rather than -log p, temperature, most steps."""
LAST, NEARLY = ((False, 0.03, 250), (True, 0.03, 100), (False, 0.01, 250), (True, 0.01, 100)), 0.005
"""Stages for maps of which less than this share is wrong by then: those of diagrams, where steps go on to pay."""


Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Outcome of `fit_labels`."""

    diagram: PowerDiagram
    labels: np.ndarray
    """int32 [grid.shape]: the diagram's own, 1..n at every point."""
    moments: PowerDiagram
    """Where the fit began."""
    moments_labels: np.ndarray
    history: tuple[float, ...]
    """Share of differing points of the moments and after each stage; the best of them is kept."""


def fit_labels(grid: Grid | HexGrid, labels: np.ndarray, *, progress: Progress = lambda share, text: None) -> Fitted:
    """Diagram of the grains 1..n of `labels`, int [grid.shape]; points with 0 take no part.

    Every number up to the largest must occur. The box of the diagram begins at the corner of the grid.
    """
    problem = _Problem.of(grid, labels)
    x = problem.start()
    began = problem.diagram(x)
    seen = moments = problem.labels(began)
    best, least, history = (began, seen), problem.wrong(seen), [problem.wrong(seen)]
    near = np.union1d(problem.near(), problem.lost_to(seen))
    for k, stage in enumerate(STAGES + LAST if problem.n > 1 else ()):
        if least == 0 or (k >= len(STAGES) and least > NEARLY):
            break
        progress(min(k / len(STAGES), 0.95), f"{history[-1]:.2%} of the points differ")
        x, near = problem.advanced(x, near, *stage)
        trial = problem.diagram(x)
        seen = problem.labels(trial)
        history.append(problem.wrong(seen))
        if history[-1] < least:
            best, least = (trial, seen), history[-1]
    return Fitted(*best, began, moments, tuple(history))


def labels_on(diagram: PowerDiagram, grid: Grid | HexGrid) -> np.ndarray:
    """int32 [grid.shape]: cell of each point; the box begins at the grid's corner. Rows of a hexagonal map in turns."""
    if isinstance(grid, Grid):
        return diagram.labels(replace(grid, origin=(0.0,) * grid.ndim)).numpy()
    out = np.empty(grid.shape, np.int32)
    for row in range(min(2, grid.shape[1])):
        part = out[:, row::2]
        origin = (0.5 * grid.step * (row == grid.shifted), (row - 0.5) * grid.pitch)
        part[:] = diagram.labels(Grid(part.shape, (grid.step, 2 * grid.pitch), origin)).numpy()
    return out


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of a grain and a point, as the kernels take them."""

    first: np.ndarray
    point: np.ndarray
    begin: np.ndarray
    order: np.ndarray
    own: np.ndarray


def _pairs(near: np.ndarray, own: np.ndarray, n: int) -> _Pairs:
    """From point * n + grain, sorted; the point's own grain is put to the others."""
    points = np.unique(near // n)
    keys = np.union1d(near, points * n + own[points])
    point, grain = keys // n, keys % n
    order = np.argsort(grain, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    first = np.searchsorted(grain[order], np.arange(n + 1))
    return _Pairs(
        first, point[order], np.r_[np.searchsorted(point, points), len(point)], place, place[grain == own[point]]
    )


@dataclass(frozen=True, eq=False)
class _Problem:
    """The labelled points, and each grain's own coordinates u = whiten (y - centre): its ellipsoid is the unit ball."""

    grid: Grid | HexGrid
    inside: np.ndarray  # bool [shape]
    points: np.ndarray  # [m, d], µm from the corner
    own: np.ndarray  # int64 [m], from 0
    n: int
    centre: np.ndarray
    root: np.ndarray  # [n, d, d]: inverse of whiten
    whiten: np.ndarray

    @classmethod
    def of(cls, grid: Grid | HexGrid, labels: np.ndarray) -> _Problem:
        inside = labels > 0
        points = (grid.points() - np.asarray(grid.origin))[inside.ravel()]
        own = labels[inside].astype(np.int64) - 1
        n = int(own.max()) + 1
        centre, moments = grain_moments(points, own, n, grid)
        root = np.linalg.cholesky((grid.ndim + 2) * moments)
        return cls(grid, inside, points, own, n, centre, root, np.linalg.inv(root))

    def start(self) -> np.ndarray:
        """[n, 1 + d + d (d + 1) / 2]: w, slopes and the lower triangle of L; the moments."""
        i, j = np.triu_indices(self.grid.ndim)
        bare = [1.0, *[0.0] * self.grid.ndim, *np.where(i == j, np.sqrt(1 - LEAST), 0.0)]
        return np.tile(bare, (self.n, 1))

    def _metrics(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """L, and A in the grains' own coordinates."""
        d = self.grid.ndim
        i, j = np.triu_indices(d)
        lower = np.zeros((self.n, d, d))
        lower[:, j, i] = x[:, 1 + d :]
        return lower, lower @ lower.transpose(0, 2, 1) + LEAST * np.eye(d)

    def diagram(self, x: np.ndarray) -> PowerDiagram:
        """Sites, metrics and weights of the unknowns."""
        d = self.grid.ndim
        _, a = self._metrics(x)
        u = np.linalg.solve(a, x[:, 1 : 1 + d, None] / 2)[..., 0]
        sites = self.centre + np.einsum("nij,nj->ni", self.root, u)
        metrics = self.whiten.transpose(0, 2, 1) @ a @ self.whiten
        weights = x[:, 0] + np.einsum("ni,nij,nj->n", u, a, u)
        metrics = (metrics + metrics.transpose(0, 2, 1)) / 2
        x_i, a_i, w_i = (torch.from_numpy(np.ascontiguousarray(t)) for t in (sites, metrics, weights))
        return PowerDiagram(x_i, a_i, w_i, self.grid.lengths, self.grid.periodic)

    def labels(self, diagram: PowerDiagram) -> np.ndarray:
        return labels_on(diagram, self.grid)

    def wrong(self, seen: np.ndarray) -> float:
        """Share of the points with another label than the map has."""
        return float(np.mean(seen[self.inside] - 1 != self.own))

    def lost_to(self, seen: np.ndarray) -> np.ndarray:
        """point * n + grain of the points that a wrong grain has."""
        winner = seen[self.inside].astype(np.int64) - 1
        lost = np.flatnonzero(winner != self.own)
        return lost * self.n + winner[lost]

    def near(self) -> np.ndarray:
        """point * n + grain of all points with another grain near."""
        number = np.full(self.grid.size, -1, np.int64)
        number[np.flatnonzero(self.inside)] = np.arange(len(self.own))
        if isinstance(self.grid, HexGrid):
            steps = KDTree(self.points).query_pairs(NEAR[2] * 1.001 * self.grid.step, output_type="ndarray")
            found = [self._unlike(steps[:, 0], steps[:, 1])]
        else:
            found = [self._unlike(*_shifted(number, self.grid, step)) for step in _ball(self.grid.ndim)]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def _unlike(self, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        differ = self.own[p] != self.own[q]
        p, q = p[differ], q[differ]
        return np.unique(np.concatenate([p * self.n + self.own[q], q * self.n + self.own[p]]))

    def advanced(
        self, x: np.ndarray, near: np.ndarray, ramp: bool, temperature: float, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The unknowns after a stage, and `near` with the grains that won points on the way.

        A grain pays nothing for points that it is not known to be near to. So it may grow flat and win half the map,
        and later stages would have to mend that: steps on which many points are lost so are made again.
        """
        chunk = CHUNK
        while steps > 0:
            before, chunk = x, min(chunk, steps)
            steps -= chunk
            for attempt in range(TRIES):
                x = self.descended(before, _pairs(near, self.own, self.n), ramp, temperature, chunk)
                lost = self.lost_to(self.labels(self.diagram(x)))
                known, near = len(near), np.union1d(near, lost)
                if len(near) - known <= MANY * len(self.own):
                    chunk = CHUNK if attempt else 2 * chunk
                    break
            else:
                chunk = CHUNK
        return x, near

    def descended(self, x: np.ndarray, pairs: _Pairs, ramp: bool, temperature: float, steps: int) -> np.ndarray:
        """The unknowns after so many steps of limited-memory BFGS."""
        if len(pairs.own) == 0:
            return x
        start, d = self.start(), self.grid.ndim
        i, j = np.triu_indices(d)
        s, slope = np.empty(len(pairs.point)), np.empty_like(x)
        lengths = np.where(self.grid.periodic, self.grid.lengths, 0.0)
        shared = (self.centre, self.whiten, lengths, self.points, pairs.first, pairs.point)

        def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
            x = flat.reshape(slope.shape)
            lower, a = self._metrics(x)
            theta = x.copy()
            theta[:, 1 + d :] = -a[:, i, j] * np.where(i == j, 1.0, 2.0)
            label_loss.scores(theta, *shared, s)
            total = label_loss.loss(s, pairs.begin, pairs.order, pairs.own, temperature, ramp)
            label_loss.gradient(s, *shared, slope)
            by_metric = np.zeros_like(lower)
            by_metric[:, i, j] = by_metric[:, j, i] = -slope[:, 1 + d :]
            by = np.concatenate([slope[:, : 1 + d], 2 * (by_metric @ lower)[:, j, i]], axis=1)
            pull = (x - start) * (PULL / temperature if temperature >= WARM else LATE_PULL)
            return total + 0.5 * float((pull * (x - start)).sum()), (by + pull).ravel()

        options = {"maxiter": steps, "maxfun": 2 * steps, "maxcor": 20}
        with threadpool_limits(1, user_api="blas"):  # a few thousand numbers: threads would mostly wait
            found = minimize(value, x.ravel(), jac=True, method="L-BFGS-B", options=options)
        return found.x.reshape(x.shape)


def grain_moments(points: np.ndarray, own: np.ndarray, n: int, grid: Grid | HexGrid) -> tuple[np.ndarray, np.ndarray]:
    """Centroids [n, d] and second central moments [n, d, d] of the grains, the points' own size included.

    Along periodic axes a grain is put together around its first point.
    """
    d, wraps, lengths = grid.ndim, np.array(grid.periodic), np.array(grid.lengths)
    found, first = np.unique(own, return_index=True)
    anchor = np.zeros((n, d))
    anchor[found] = points[first]
    away = points - anchor[own]
    away -= np.where(wraps, lengths * np.rint(away / lengths), 0.0)
    count = np.bincount(own, minlength=n).astype(float)
    mean = np.stack([np.bincount(own, v, minlength=n) for v in away.T], axis=1) / count[:, None]
    away -= mean[own]
    i, j = np.triu_indices(d)
    sums = np.stack([np.bincount(own, away[:, a] * away[:, b], minlength=n) for a, b in zip(i, j)], axis=1)
    moments = np.empty((n, d, d))
    moments[:, i, j] = moments[:, j, i] = sums / count[:, None]
    hexagon = isinstance(grid, HexGrid)
    size = np.full(2, 5 * grid.step**2 / 72) if hexagon else np.square(grid.spacing) / 12  # type: ignore[union-attr]
    return anchor + mean, moments + np.diag(size)


def _ball(d: int) -> list[tuple[int, ...]]:
    """Steps to all points within NEAR, one of each two opposite ones."""
    r = int(NEAR[d])
    steps = np.stack(np.meshgrid(*[np.arange(-r, r + 1)] * d, indexing="ij"), -1).reshape(-1, d)
    steps = steps[(steps**2).sum(axis=1) <= NEAR[d] ** 2]
    return [tuple(map(int, step)) for step in steps[len(steps) // 2 + 1 :]]


def _shifted(number: np.ndarray, grid: Grid, step: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of all pairs of points that lie `step` apart, both with a grain."""
    here = number.reshape(grid.shape)
    there = here
    for axis, k in enumerate(step):
        if k and grid.periodic[axis]:
            there = np.roll(there, -k, axis)
        elif k:
            size = here.shape[axis]
            here = np.take(here, np.arange(max(0, -k), min(size, size - k)), axis)
            there = np.take(there, np.arange(max(0, k), min(size, size + k)), axis)
    both = (here >= 0) & (there >= 0)
    return here[both], there[both]
