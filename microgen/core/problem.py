"""What flows: an energy, the modes in which the field moves, and the mass it keeps; the same on coarser voxels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from microgen.core.masked import Mask, masked
from microgen.core.operators import Modes, as_array
from microgen.core.phase_field import Array, Energy, Field

LEAST = 1.5  # voxels in eps: with fewer the interface feels the grid


@dataclass(frozen=True)
class Metric:
    """How fast each mode may descend: u moves against P(k)² times the gradient. Wave numbers k are in 1/eps.

    While the texture forms, P = k / sqrt(k² + k0²) · 1/(1 + k²/2) · exp(-(blur k)²/2). Once it has, and slow modes are
    left, P = k / (1 + k³) · exp(-(settled_blur k)²/2): the energy grows like k⁴ and is about as steep in this metric
    along all modes beyond 1/eps, so larger steps are stable. Both are H^-1 for the texture, with k below 1/eps.
    """

    k0: float = 6.0
    """Up to it the metric is H^-1, beyond it L2."""
    blur: float = 0.75
    """Width of a Gaussian, in eps. It is part of the model: some polynomials are bounded below by nothing else."""
    settled_blur: float = 0.6
    kind: str = "H-1"
    """"H-1", or "L2": P without its factor k, the constant mode left out."""

    def forming(self, k: Array) -> Array:
        """P² of wave numbers while the texture forms; its peak does not matter, as steps have a given length."""
        rise = k / np.sqrt(k**2 + self.k0**2) if self.kind == "H-1" else (k > 0).astype(float)
        return (rise / (1 + k**2 / 2) * np.exp(-((self.blur * k) ** 2) / 2)) ** 2

    def settling(self, k: Array) -> Array:
        """P² once it has formed."""
        rise = k if self.kind == "H-1" else (k > 0).astype(float)
        return (rise / (1 + k**3) * np.exp(-((self.settled_blur * k) ** 2) / 2)) ** 2


@dataclass(frozen=True, eq=False)
class Problem:
    """What flows: the energy, the modes of u, and the mass (mean of u, or a field with that mean)."""

    energy: Energy
    modes: Modes
    base: Array
    """float32 [shape]: m, kept by every step."""
    forming: Array
    """float32 [counts]: the metric while the texture forms; zero for the constant mode."""
    settling: Array
    """float32 [counts]: the metric afterwards."""
    mask: Mask | None = None
    """Where u has the mean of m too; beside the box, which always has it."""

    def field(self, amplitudes: Array) -> Array:
        """u with these amplitudes."""
        u = self.modes.to_voxels(amplitudes)
        if self.mask is not None:
            u = self.mask.without_mean(u)
        u += self.base
        return u

    def slope(self, u: Array) -> tuple[float, Array]:
        """F, and its derivative by the smooth field that the amplitudes are of."""
        energy, gradient = self.energy(u)
        return energy, gradient if self.mask is None else self.mask.adjoint(gradient)

    def mass_error(self, u: Array) -> float:
        """|mean of u - mean of m|: the larger one of box and mask."""
        parts: list[Any] = [...] if self.mask is None else [..., self.mask.inside]
        return max(abs(float(u[p].mean(dtype=float)) - float(self.base[p].mean(dtype=float))) for p in parts)


def problem(
    coefficients: tuple[Field, ...],
    *,
    mass: Field,
    eps: Field,
    spacing: tuple[float, ...],
    shape: tuple[int, ...],
    periodic: tuple[bool, ...],
    metric: Metric,
    orientation: tuple[Field, tuple[Field, ...]] | None = None,
    mask: Array | None = None,
    device: str = "cpu",
) -> Problem:
    """Energy, modes and metric of a flow; where eps varies, its smallest value sets the metric."""
    mu, theta = orientation or (0.0, (0.0,) * 3)
    fields = [np.asarray(x, np.float32) if np.ndim(x) else x for x in (*coefficients, eps)]
    energy = Energy(tuple(fields[:6]), fields[6], spacing, periodic, mu, theta)
    width = float(np.min(eps))
    modes = Modes(shape, spacing, periodic, width, device=device)
    base = modes.placed(np.broadcast_to(np.asarray(mass, np.float32), shape))
    k = modes.k * width
    forming, settling = (modes.placed(p(k).astype(np.float32)) for p in (metric.forming, metric.settling))
    return Problem(energy, modes, base, forming, settling, None if mask is None else masked(modes, mask))


def coarser(task: Problem) -> Problem:
    """The same problem on voxels of eps / 1.5 along each axis; itself where that saves little."""
    modes, energy = task.modes, task.energy
    lengths = [n * h for n, h in zip(modes.shape, modes.spacing)]
    step = float(np.min(energy.eps)) / LEAST
    shape = tuple(min(n, max(c, math.ceil(a / step - 1e-6))) for n, c, a in zip(modes.shape, modes.counts, lengths))
    if math.prod(shape) > 0.8 * math.prod(modes.shape):
        return task
    places = tuple(((np.arange(m) + 0.5) * n / m).astype(int) for n, m in zip(modes.shape, shape))
    spacing = tuple(a / m for a, m in zip(lengths, shape))
    rougher = replace(modes, shape=shape, spacing=spacing, of=modes.shape)
    base = modes.placed(_picked(as_array(task.base), places))
    mask = None if task.mask is None else masked(rougher, _picked(as_array(task.mask.inside), places))
    return Problem(_sampled(energy, spacing, places), rougher, base, task.forming, task.settling, mask)


def _sampled(energy: Energy, spacing: tuple[float, ...], places: Sequence[Array]) -> Energy:
    """The energy with what varies in space taken from the nearest voxels."""
    return replace(
        energy,
        coefficients=tuple(_picked(c, places) for c in energy.coefficients),
        eps=_picked(energy.eps, places),
        spacing=spacing,
        mu=_picked(energy.mu, places),
        theta=tuple(_picked(x, places) for x in energy.theta),
    )


def _picked(field: Any, places: Sequence[Array]) -> Any:
    return np.ascontiguousarray(field[np.ix_(*places)]) if np.ndim(field) else field
