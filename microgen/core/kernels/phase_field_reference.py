"""The discrete curvature energy in plain torch, differentiated by autograd: what the fused kernel is tested against.

F = dV sum f with W = (1 - u^2)^2 / 4, M = -eps H + (W'/eps) n n^T, T = tr M, N = |M|^2, S = sqrt(softplus(2N - T^2)),
f = (a20 + a02 - a11)/(2 eps) N + (a20 - a02)/(2 eps) T S + a11/(2 eps) T^2
  + (b10 + b01)/2 |g| T + (b10 - b01)/2 |g| S + c eps |g|^2 + mu eps (g.theta)^2
(Song 2022, JMIV 64, "Generation of tubular and membranous shape textures with curvature functionals").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Coefficient = Tensor | float


def softplus(x: Tensor, xi: float) -> Tensor:
    """xi log(1 + exp(x/xi)) + xi: not the usual softplus, it is never below xi."""
    return xi + torch.clamp(x, min=0) + xi * torch.log1p(torch.exp(-x.abs() / xi))


def shifted(u: Tensor, axis: int, step: int, periodic: bool) -> Tensor:
    """u at the neighbours `step` = 1 or -1 along an axis: wrapped, or the last voxel again beyond the border."""
    if periodic:
        return torch.roll(u, -step, axis)
    index = torch.clamp(torch.arange(u.shape[axis]) + step, 0, u.shape[axis] - 1)
    return u.index_select(axis, index)


def derivatives(u: Tensor, spacing: Sequence[float], periodic: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Gradient [d, ...] and Hessian [d, d, ...] by central differences; mixed ones from the four corners."""
    d = u.ndim
    up = [shifted(u, k, 1, periodic[k]) for k in range(d)]
    down = [shifted(u, k, -1, periodic[k]) for k in range(d)]
    g = torch.stack([(up[k] - down[k]) / (2 * spacing[k]) for k in range(d)])
    rows = []
    for i in range(d):
        row = []
        for j in range(d):
            if i == j:
                row.append((up[i] + down[i] - 2 * u) / spacing[i] ** 2)
            else:
                row.append((shifted(g[j], i, 1, periodic[i]) - shifted(g[j], i, -1, periodic[i])) / (2 * spacing[i]))
        rows.append(torch.stack(row))
    return g, torch.stack(rows)


def energy(
    u: Tensor,
    coefficients: Sequence[Coefficient],
    *,
    eps: Coefficient,
    spacing: Sequence[float],
    periodic: Sequence[bool],
    orientation: tuple[Coefficient, Sequence[Coefficient]] | None = None,
    xi: float = 1e-6,
    xi_soft: float = 1e-6,
) -> Tensor:
    """F of u [nx, ny(, nz)]; coefficients a20, a11, a02, b10, b01, c (numbers or fields); orientation (mu, theta)."""
    a20, a11, a02, b10, b01, c = coefficients
    g, h = derivatives(u, spacing, periodic)
    gg = (g**2).sum(0)
    slope = u**3 - u
    bend = torch.einsum("i...,ij...,j...->...", g, h, g) / (gg + xi**2)
    t = -eps * torch.einsum("ii...->...", h) + slope / eps
    n = eps**2 * (h**2).sum((0, 1)) + slope**2 / eps**2 - 2 * slope * bend
    s = torch.sqrt(softplus(2 * n - t**2, xi_soft))
    size = torch.sqrt(gg + xi**2)
    f = (a20 + a02 - a11) / (2 * eps) * n + (a20 - a02) / (2 * eps) * t * s + a11 / (2 * eps) * t**2
    f = f + (b10 + b01) / 2 * size * t + (b10 - b01) / 2 * size * s + c * eps * gg
    if orientation is not None:
        mu, theta = orientation
        f = f + mu * eps * sum(g[k] * theta[k] for k in range(u.ndim)) ** 2
    volume = 1.0
    for step in spacing:
        volume *= step
    return f.sum() * volume
