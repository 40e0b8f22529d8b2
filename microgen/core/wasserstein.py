"""Distance between two weighted clouds of points: debiased Sinkhorn divergence, and exact transport along a line.

OT_eps(a, b) = min over plans P of <P, c> + eps KL(P | a b^T) with c = |x - y|², and

    S_eps(a, b) = OT_eps(a, b) - OT_eps(a, a) / 2 - OT_eps(b, b) / 2,    eps = blur²,

which is 0 for a = b, positive otherwise, and goes to W2² with the blur (Feydy, Séjourné, Vialard, Amari, Trouvé, Peyré,
AISTATS 2019). What is returned is its root, in the unit of the points.

Dual potentials f, g by Sinkhorn's iteration on logarithms, at an eps that falls from the clouds' size to blur²
(Schmitzer, SIAM J. Sci. Comput. 41 (2019) A1443); the first ones on cells of a tree that stand for their points,
whatever the number of dimensions. At the last eps steps are over-relaxed (Lehmann, von Renesse, Sambale, Uschmajew,
Optim. Lett. 16 (2022) 2209). All pairs are visited in blocks that stay in the cache: memory goes with n, not n².
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from microgen.errors import InvalidParameter, NotConverged

COARSE = 1000  # cells that stand for a cloud while the blur is larger than they are
FALL = 0.7  # of the blur from one step to the next
RELAXED = 1.7  # over-relaxation once eps stands still; 1 is Sinkhorn's own step
BLOCK, FEW, SERIAL = 2_500_000, 2_000_000, 32_000  # pairs at a time; of up to FEW in all, so few that one thread does
OWN_STEPS, OWN_CHANGE = 30, 1e-4  # of a cloud with itself, where half steps soon converge; change that is none
LN2 = math.log(2)
TOLERANCE = 0.03  # 0.03 of the mass misplaced: the distance is then off by 0.1 %
MOST = 200
_ALONE = threading.Lock()
WIDE = 300  # blurs: in larger clouds costs need float64


@dataclass(frozen=True, eq=False)
class Divergence:
    """Outcome of `sinkhorn_divergence`."""

    squared: float
    """S_eps, in the squared unit of the points."""
    first: np.ndarray
    """float64 [n]: potential f of the points x, of OT_eps(a, b); c - f - g is small where mass moves."""
    second: np.ndarray
    """float64 [m]: g of the points y."""
    misplaced: float
    """Share of the mass that the last plan puts on wrong points of y."""
    steps: int
    """Steps at the last eps."""
    tolerance: float

    @property
    def distance(self) -> float:
        """Root of S_eps; rounding may make it negative for equal clouds, which counts as 0."""
        return math.sqrt(max(self.squared, 0.0))

    @property
    def converged(self) -> bool:
        return self.misplaced <= self.tolerance


def sinkhorn_divergence(
    x: np.ndarray,
    y: np.ndarray,
    *,
    blur: float,
    a: np.ndarray | None = None,
    b: np.ndarray | None = None,
    tolerance: float = TOLERANCE,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
    throw: bool = True,
) -> Divergence:
    """S_eps between points x [n, k] and y [m, k] with weights a [n], b [m] (equal ones where not given).

    Steps end when less than `tolerance` of the mass is misplaced. Raises NotConverged when that takes more than 200
    (unless `throw` is false), InvalidParameter for clouds that are empty, not finite or of different dimension.
    """
    clouds = _checked(x, y, a, b)
    if not (np.isfinite(blur) and blur > 0):
        raise InvalidParameter("blur", expected="a length above 0, in the unit of the points", got=blur)
    # Coordinates from the common middle, in units of the blur: float32 then loses nothing that counts, and eps is 1.
    middle = sum(points.mean(0) for points, _ in clouds) / 2
    scaled = [((points - middle) / blur, share) for points, share in clouds]
    kind = dtype or (torch.float32 if max(np.abs(points).max() for points, _ in scaled) < WIDE else torch.float64)
    first, second = (_Measure.of(*each, dtype=kind, device=device) for each in scaled)
    loops = _Loops(first, second)
    with _one_thread() if max(len(first), len(second)) ** 2 <= FEW else nullcontext():
        f, g, misplaced, steps = _potentials(first, second, loops, tolerance=tolerance)
        own = [_own_potential(each, loops) for each in (first, second)]
    squared = (first.mean(f - own[0]) + second.mean(g - own[1])) * blur**2
    f, g = ((p.double().cpu().numpy() * blur**2) for p in (f, g))
    found = Divergence(squared, f, g, misplaced, steps, tolerance)
    if throw and not found.converged:
        raise NotConverged(
            f"after {steps} steps {misplaced:.1%} of the mass is misplaced, the tolerance is {tolerance:.1%}. "
            "Use a larger blur or tolerance.",
            best=found,
        )
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch for a while: where cores are busy, threads that meet often wait ten times the work.

    The number is the whole process's, so one at a time may change it: two would restore each other's.
    """
    with _ALONE:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def cloud_distance(
    x: np.ndarray, y: np.ndarray, *, blur: float, a: np.ndarray | None = None, b: np.ndarray | None = None
) -> float:
    """Distance between points x [n, k] and y [m, k]: exact for k = 1, else the root of S_eps."""
    if np.ndim(x) == np.ndim(y) == 2 and np.shape(x)[1] == np.shape(y)[1] == 1:
        return line_distance(x, y, a, b)
    return sinkhorn_divergence(x, y, blur=blur, a=a, b=b).distance


def line_distance(x: np.ndarray, y: np.ndarray, a: np.ndarray | None = None, b: np.ndarray | None = None) -> float:
    """Exact W2 between weighted numbers x [n] and y [m]: (integral of (F_a^-1(s) - F_b^-1(s))² ds)^(1/2).

    Villani, Optimal Transport (2009), remark 6.6. Both quantile functions are steps: the integral is a finite sum.
    """
    (points, share), (others, their) = _checked(np.reshape(x, (-1, 1)), np.reshape(y, (-1, 1)), a, b)
    levels, values = [], []
    for p, w in ((points, share), (others, their)):
        order = np.argsort(p[:, 0], kind="stable")
        levels.append(np.cumsum(w[order]))
        levels[-1][-1] = 1.0
        values.append(p[order, 0])
    ends = np.union1d(*levels)
    middle = ends - np.diff(ends, prepend=0.0) / 2
    first, second = (v[np.searchsorted(s, middle)] for s, v in zip(levels, values))
    return float(np.sqrt(np.diff(ends, prepend=0.0) @ (first - second) ** 2))


def _checked(
    x: np.ndarray, y: np.ndarray, a: np.ndarray | None, b: np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Points and shares of both clouds."""
    found = []
    for name, points, weights in (("x", x, a), ("y", y, b)):
        points = np.asarray(points, float)
        if points.ndim != 2 or 0 in points.shape or not np.isfinite(points).all():
            raise InvalidParameter(name, expected="one or more points [n, k] of finite numbers", got=points.shape)
        w = np.ones(len(points)) if weights is None else np.asarray(weights, float)
        if w.shape != points.shape[:1] or not (np.isfinite(w) & (w >= 0)).all() or not w.sum() > 0:
            letter = {"x": "a", "y": "b"}[name]
            raise InvalidParameter(letter, expected=f"{len(points)} numbers >= 0, not all of them 0", got=w.shape)
        found.append((points, w / w.sum()))
    if found[0][0].shape[1] != found[1][0].shape[1]:
        got = f"{found[0][0].shape[1]} and {found[1][0].shape[1]}"
        raise InvalidParameter("x, y", expected="points of one dimension", got=got)
    return found


@dataclass(frozen=True, eq=False)
class _Measure:
    """A cloud in units of the blur."""

    points: Tensor
    share: Tensor
    log: Tensor
    square: Tensor
    """|x|² of each point."""

    @classmethod
    def of(cls, points: np.ndarray, share: np.ndarray, **kind: Any) -> _Measure:
        x, w = torch.as_tensor(points, **kind), torch.as_tensor(share, device=kind["device"])
        return cls(x, w, w.log().to(x.dtype), (x**2).sum(1))

    def __len__(self) -> int:
        return len(self.points)

    def mean(self, values: Tensor) -> float:
        return float(self.share @ values.double())

    def coarse(self) -> tuple[_Measure, float]:
        """Cells in place of points, where those are many, and how far points lie from their cell's middle (rms)."""
        if len(self) <= 2 * COARSE:
            return self, 0.0
        points, share = self.points.double().cpu().numpy(), self.share.cpu().numpy()
        cell = _cells(points, COARSE)
        weight = np.maximum(np.bincount(cell, share), 1e-300)
        middle = np.stack([np.bincount(cell, share * v) for v in points.T], axis=1) / weight[:, None]
        width = math.sqrt(share @ ((points - middle[cell]) ** 2).sum(1))
        kind: dict[str, Any] = {"dtype": self.points.dtype, "device": self.points.device}
        return _Measure.of(middle, weight, **kind), width


def _cells(points: np.ndarray, count: int) -> np.ndarray:
    """int [n]: which of about `count` cells each point is in, halved across their widest side until they are many."""
    cell, parts = np.zeros(len(points), int), [np.arange(len(points))]
    while len(parts) < count:
        halves = []
        for rows in parts:
            axis = int(np.argmax(np.ptp(points[rows], axis=0)))
            order = rows[np.argsort(points[rows, axis], kind="stable")]
            halves += [order[: len(order) // 2], order[len(order) // 2 :]]
        parts = halves
    for k, rows in enumerate(parts):
        cell[rows] = k
    return cell


class _Loops:
    """Loops over all pairs, block by block in one piece of memory: fresh memory can cost more than the sums."""

    def __init__(self, a: _Measure, b: _Measure) -> None:
        longest = max(len(a), len(b))
        # Threads that meet after each of some thousand short loops wait for one another where cores are busy: 100 times
        # as long as the work takes. Torch shares loops out from 32 768 numbers on.
        size = SERIAL if longest**2 <= FEW else min(BLOCK, longest**2)
        self._room = torch.empty(max(longest, size), dtype=a.square.dtype, device=a.square.device)
        self._few = longest**2 <= FEW
        self._known: dict[tuple[int, int], Tensor] = {}  # of clouds that live as long as these loops

    def softmin(self, eps: float, x: _Measure, y: _Measure, *, of: Tensor) -> Tensor:
        """-eps log sum_j b_j exp((g_j - |x_i - y_j|²) / eps) of each point of x, for the potential g `of` y."""
        # In powers of two: torch hands exp to a library that starts threads for any size, and those may wait for long.
        scale = 1 / (eps * LN2)
        level, turned = (y.log / LN2 + (of - y.square) * scale)[None], y.points.T * (2 * scale)
        rows, out = max(1, len(self._room) // len(y)), torch.empty_like(x.square)
        products = self._products(x, y) if self._few else None
        for start in range(0, len(x), rows):
            points = x.points[start : start + rows]
            part = self._room[: len(points) * len(y)].view(len(points), len(y))
            if products is None:
                torch.addmm(level, points, turned, out=part)
            else:
                torch.add(level, products[start : start + rows], alpha=2 * scale, out=part)
            top = part.amax(1, keepdim=True)
            # What is lost below 2^-80 no sum can see; powers that underflow take five times as long.
            out[start : start + rows] = part.sub_(top).clamp_(min=-80).exp2_().sum(1).log2_() + top[:, 0]
        return x.square - out / scale

    def _products(self, x: _Measure, y: _Measure) -> Tensor:
        """<x_i, y_j>, multiplied once: matrix products are threaded, however small."""
        if (id(x), id(y)) not in self._known:
            self._known[id(x), id(y)] = x.points @ y.points.T
        return self._known[id(x), id(y)]


def _potentials(a: _Measure, b: _Measure, loops: _Loops, *, tolerance: float) -> tuple[Tensor, Tensor, float, int]:
    """f and g of OT_1(a, b), the share of misplaced mass, and the steps at the last eps."""
    size = math.sqrt(max(a.mean(a.square) + b.mean(b.square), 1.0))
    (rough_a, width_a), (rough_b, width_b) = a.coarse(), b.coarse()
    width, blurs = max(width_a, width_b, 1.0), []
    while size > 1:
        blurs.append(size)
        size *= FALL
    f = torch.zeros_like(rough_a.square)
    eps = (blurs or [1.0])[0] ** 2
    for eps in (s**2 for s in blurs if s >= width):
        f = loops.softmin(eps, rough_a, rough_b, of=loops.softmin(eps, rough_b, rough_a, of=f))
    g = loops.softmin(eps, b, rough_a, of=f)  # at any place, from the potential of the cells
    f = loops.softmin(eps, a, b, of=g)
    for eps in (s**2 for s in blurs if s < width):
        g = loops.softmin(eps, b, a, of=f)
        f = loops.softmin(eps, a, b, of=g)
    return _settled(a, b, g, loops=loops, tolerance=tolerance)


def _settled(
    a: _Measure, b: _Measure, g: Tensor, *, loops: _Loops, tolerance: float
) -> tuple[Tensor, Tensor, float, int]:
    """Over-relaxed steps at eps = 1 until the plan of f and g has the weights of b, but for the tolerance."""
    factor, least, misplaced = RELAXED, math.inf, math.inf
    f = loops.softmin(1.0, a, b, of=g)
    for step in range(MOST):
        after = loops.softmin(1.0, b, a, of=f)
        misplaced = b.mean((g - after).exp().sub(1).abs()) / 2
        if misplaced <= tolerance or step == MOST - 1:
            # Relaxed steps leave both marginals a little wrong: make that of a exact, and look again.
            f = loops.softmin(1.0, a, b, of=after)
            g, after = after, loops.softmin(1.0, b, a, of=f)
            misplaced = b.mean((g - after).exp().sub(1).abs()) / 2
            if misplaced <= tolerance or step == MOST - 1:
                return f, after, misplaced, step + 1
        factor = 1.0 if misplaced > 1.5 * least else factor  # far from the end relaxed steps can overshoot
        least = min(least, misplaced)
        g = g + factor * (after - g)
        f = f + factor * (loops.softmin(1.0, a, b, of=g) - f)
    raise AssertionError("unreachable")


def _own_potential(a: _Measure, loops: _Loops) -> Tensor:
    """f of OT_1(a, a) by half steps, each of which at least halves the error."""
    f = torch.zeros_like(a.square)
    for _ in range(OWN_STEPS):
        before, f = f, (f + loops.softmin(1.0, a, a, of=f)) / 2
        if a.mean((f - before).abs()) < OWN_CHANGE:
            break
    return loops.softmin(1.0, a, a, of=f)
