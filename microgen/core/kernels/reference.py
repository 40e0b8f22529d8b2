"""The hot loops again in plain torch, every pair of point and site: slow, short, differentiable, float64.

The fast kernels are tested against these on random problems.
"""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float, Int
from torch import Tensor


def costs(
    points: Float[Tensor, "m d"],
    sites: Float[Tensor, "n d"],
    metrics: Float[Tensor, "n d d"],
    *,
    lengths: tuple[float, ...],
    periodic: tuple[bool, ...],
) -> Float[Tensor, "m n"]:
    """c_i(y) = (y - x_i)^T A_i (y - x_i); along periodic axes the minimum over the translates by -L, 0 and L of the
    componentwise wrapped displacement, in [-L/2, L/2).
    """
    box = torch.tensor(lengths, dtype=points.dtype)
    wrap = torch.tensor(periodic)
    y = points[:, None, :] - sites[None, :, :]
    y = torch.where(wrap, torch.remainder(y + box / 2, box) - box / 2, y)
    best = torch.full(y.shape[:2], torch.inf, dtype=points.dtype)
    for shift in itertools.product(*((-1, 0, 1) if p else (0,) for p in periodic)):
        z = y + box * torch.tensor(shift, dtype=points.dtype)
        best = torch.minimum(best, torch.einsum("mni,nij,mnj->mn", z, metrics, z))
    return best


def labels(cost: Float[Tensor, "m n"], weights: Float[Tensor, " n"]) -> Int[Tensor, " m"]:
    """1..n: the cell {c_i - w_i minimal} each point lies in."""
    return (cost - weights).argmin(dim=1) + 1


def dual(cost: Float[Tensor, "m n"], weights: Float[Tensor, " n"], volumes: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """g(w) = sum_i v_i w_i + mean over the points of min_i (c_i - w_i), volumes as shares of the box.

    Concave; autograd gives its gradient v_i - |cell_i|.
    """
    return (volumes * weights).sum() + (cost - weights).min(dim=1).values.mean()


def sinkhorn_divergence(
    x: Float[Tensor, "n k"],
    y: Float[Tensor, "m k"],
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    *,
    eps: float,
    steps: int,
) -> Float[Tensor, ""]:
    """S_eps of two clouds with weights that sum to one: so many steps of Sinkhorn's iteration, all pairs."""

    def transport(p: Tensor, q: Tensor, u: Tensor, v: Tensor) -> Tensor:
        cost = ((p[:, None] - q[None]) ** 2).sum(2)
        g = torch.zeros_like(v)
        f = torch.zeros_like(u)
        for _ in range(steps):
            f = -eps * torch.logsumexp(v.log() + (g - cost) / eps, 1)
            g = -eps * torch.logsumexp(u.log()[:, None] + (f[:, None] - cost) / eps, 0)
        return u @ f + v @ g

    return transport(x, y, a, b) - (transport(x, x, a, a) + transport(y, y, b, b)) / 2
