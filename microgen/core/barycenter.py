"""Wasserstein barycenter of volumes on one grid: entropic, debiased, by convolutions along one axis after another.

The barycenter of densities alpha_1 ... alpha_K with weights w_k minimises sum_k w_k S_eps(alpha_k, beta), with the cost
|x - y|² and eps = blur²: the debiased divergence of `core.wasserstein`, so that equal volumes have themselves as their
barycenter and nothing is blurred (Janati, Cuturi, Gramfort, ICML 2020, algorithm 1; without debiasing Solomon et al.,
ACM Trans. Graph. 34 (2015) 66, whose barycenters of sharp volumes are smooth over a blur). exp(-|x - y|² / eps) is a
product over the axes, so a step is a product of n x n matrices with the volume along each axis: n^4 work for n³ voxels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from microgen.errors import InvalidParameter, NotConverged

FAR = 25.0  # blurs along an axis: exp(-FAR²) is the least that float64 holds with room for products
FINE = 2.0  # voxels in a blur: with less mass cannot move by less than a voxel
TINY = 1e-300
MOST = 500


@dataclass(frozen=True, eq=False)
class Barycenter:
    """Outcome of `barycenter`."""

    density: np.ndarray
    """float64 [shape], summing to one."""
    misplaced: float
    """Largest share of the mass that a plan, of an input or of the barycenter to itself, puts on wrong voxels."""
    steps: int
    tolerance: float

    @property
    def converged(self) -> bool:
        return self.misplaced <= self.tolerance

    def solid(self, fraction: float) -> np.ndarray:
        """bool [shape]: the densest voxels, `fraction` of all (at least one); of equal ones the first."""
        if not 0 < fraction <= 1:
            raise InvalidParameter("fraction", expected="a share above 0 and up to 1", got=fraction)
        count = max(1, round(fraction * self.density.size))
        out = np.zeros(self.density.size, bool)
        out[np.argsort(-self.density, axis=None, kind="stable")[:count]] = True
        return out.reshape(self.density.shape)


def barycenter(
    volumes: Sequence[np.ndarray],
    *,
    weights: Sequence[float] | None = None,
    spacing: Sequence[float] | None = None,
    periodic: Sequence[bool] | None = None,
    blur: float | None = None,
    debiased: bool = True,
    tolerance: float = 0.01,
    throw: bool = True,
) -> Barycenter:
    """Barycenter of volumes (or planes) of one shape: densities >= 0 in any scale, or bool for a phase.

    `spacing` of the voxels is 1 when not given, and `blur` is in its unit: two voxels, or a 25th of the longest axis
    where that is more (half of it along periodic ones), which is the least that can be. Ends when less than `tolerance`
    of the mass is misplaced. Raises NotConverged after 500 steps (unless `throw` is false), and InvalidParameter.
    """
    densities = _checked(volumes)
    share = _weights(weights, len(densities))
    ndim = densities[0].ndim
    steps = [1.0] * ndim if spacing is None else [float(h) for h in spacing]
    wraps = [False] * ndim if periodic is None else [bool(p) for p in periodic]
    if len(steps) != ndim or len(wraps) != ndim or not all(math.isfinite(h) and h > 0 for h in steps):
        raise InvalidParameter("spacing, periodic", expected=f"{ndim} values, lengths above 0", got=(spacing, periodic))
    lengths = [n * h / (2 if wrap else 1) for n, h, wrap in zip(densities[0].shape, steps, wraps)]
    least = max(max(lengths) / FAR, FINE * min(steps))
    width = least if blur is None else float(blur)
    if not (math.isfinite(width) and width >= least * (1 - 1e-9)):
        remedy = "Take a larger blur, or a volume of fewer voxels."
        raise InvalidParameter("blur", expected=f"a length of {least:.4g} or more", got=blur, remedy=remedy)
    kernels = [_kernel(n, h / width, wrap) for n, h, wrap in zip(densities[0].shape, steps, wraps)]
    found = _iterated([torch.from_numpy(d) for d in densities], share, kernels, debiased, tolerance)
    if throw and not found.converged:
        message = f"after {found.steps} steps {found.misplaced:.1%} of the mass is misplaced, the tolerance is "
        raise NotConverged(f"{message}{tolerance:.1%}. Use a larger blur or tolerance.", best=found)
    return found


def _iterated(
    alphas: list[Tensor], share: list[float], kernels: list[Tensor], debiased: bool, tolerance: float
) -> Barycenter:
    """Algorithm 1 of Janati et al.; b, d, beta are its letters, `left` its a."""
    b = [torch.ones_like(alpha) for alpha in alphas]
    left = [torch.zeros_like(alpha) for alpha in alphas]
    d = beta = torch.ones_like(alphas[0])
    own, misplaced, step = math.inf, math.inf, 0
    for step in range(1, MOST + 1):
        spread = [_smoothed(each, kernels) for each in b]
        if step > 1:
            wrong = [float((a * s - alpha).abs().sum()) / 2 for a, s, alpha in zip(left, spread, alphas)]
            misplaced = max(*wrong, own)
            if misplaced <= tolerance:
                break
        left = [alpha / s.clamp(min=TINY) for alpha, s in zip(alphas, spread)]
        back = [_smoothed(each, kernels).clamp(min=TINY) for each in left]
        logs = sum(w * each.log() for w, each in zip(share, back))
        assert isinstance(logs, Tensor)
        beta = d * logs.exp()
        b = [beta / each for each in back]
        if debiased:
            after = _smoothed(d, kernels)
            own = float((d * after - beta).abs().sum()) / 2  # of the plan from the barycenter to itself
            d = (d * beta / after.clamp(min=TINY)).sqrt()
        else:
            own = 0.0
    density = beta.numpy()
    return Barycenter(density / density.sum(), misplaced, step, tolerance)


def _smoothed(volume: Tensor, kernels: list[Tensor]) -> Tensor:
    """Products along each axis in turn: every one puts the next axis first."""
    for kernel in kernels:
        rest = volume.shape[1:]
        volume = (kernel @ volume.reshape(len(kernel), -1)).T.reshape(*rest, len(kernel))
    return volume


def _kernel(n: int, step: float, wrap: bool) -> Tensor:
    """exp(-(i - j)² step²) [n, n], the shorter way around where the axis is periodic."""
    away = (torch.arange(n)[:, None] - torch.arange(n)[None]).abs()
    away = torch.minimum(away, n - away) if wrap else away
    return (-((away.double() * step) ** 2)).exp()


def _checked(volumes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Densities that sum to one."""
    arrays = [np.ascontiguousarray(volume, np.float64) for volume in volumes]
    if not arrays:
        raise InvalidParameter("volumes", expected="one or more", got="none")
    for array in arrays:
        if array.shape != arrays[0].shape or array.ndim not in (2, 3):
            shapes = ", ".join(str(each.shape) for each in arrays)
            raise InvalidParameter("volumes", expected="planes or volumes of one shape", got=shapes)
        if not np.isfinite(array).all() or array.min() < 0 or not array.sum() > 0:
            raise InvalidParameter("volumes", expected="finite densities >= 0, not all 0", got=float(array.min()))
    return [array / array.sum() for array in arrays]


def _weights(weights: Sequence[float] | None, count: int) -> list[float]:
    given = np.ones(count) if weights is None else np.asarray(weights, float)
    if given.shape != (count,) or not np.isfinite(given).all() or given.min() < 0 or not given.sum() > 0:
        raise InvalidParameter("weights", expected=f"{count} numbers >= 0, not all 0", got=weights)
    return [float(w) for w in given / given.sum()]
