"""Ground costs c_i(y) of semi-discrete optimal transport: powers of anisotropic norms.

    c_i(y) = s_i ((y - x_i)^T A_i (y - x_i))^(p_i / 2)

p = 2 is the anisotropic power diagram. Small p makes soft cells, that give way to each other however far they reach;
large p makes hard ones, that keep to their ellipsoids (Diez and Feydy 2024, ICeShOT). Along periodic axes a cost is the
minimum over the translates, as `kernels.reference.costs` has it: costs of this family grow with the quadratic form, so
that the translate which is nearest for p = 2 is the nearest for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from microgen.core.kernels import reference
from microgen.core.power_diagram import check_metrics
from microgen.errors import InvalidParameter

SOFTEST, HARDEST = 0.1, 32.0
"""Exponents that are taken: outside, costs of a grain and its neighbours differ by more than float64 can tell."""


@dataclass(frozen=True, eq=False)
class PowerCost:
    """The family of powers; exponents and scales may differ from site to site."""

    sites: Float[Tensor, "n d"]
    """µm"""
    metrics: Float[Tensor, "n d d"]
    """1/µm²"""
    exponents: Float[Tensor, " n"]
    """p: 0.5 very soft, 2 quadratic, 10 hard."""
    scales: Float[Tensor, " n"] | None = None
    """s, positive; 1 when not given."""

    def __post_init__(self) -> None:
        n, d = self.sites.shape
        shapes = {"sites": (n, d), "metrics": (n, d, d), "exponents": (n,), "scales": (n,)}
        for name, shape in shapes.items():
            tensor = getattr(self, name)
            if tensor is not None and (tuple(tensor.shape) != shape or not bool(torch.isfinite(tensor).all())):
                raise InvalidParameter(name, expected=f"finite numbers of shape {shape}", got=tuple(tensor.shape))
        if n < 1 or d not in (2, 3):
            raise InvalidParameter("sites", expected="at least one site in 2 or 3 dimensions", got=(n, d))
        check_metrics(self.metrics)
        _check_range("exponents", self.exponents, SOFTEST, HARDEST, remedy="2 is usual, 0.5 very soft, 10 hard.")
        if self.scales is not None:
            _check_range("scales", self.scales, np.finfo(float).tiny, np.inf)

    @classmethod
    def of(
        cls, sites: Float[Tensor, "n d"], metrics: Float[Tensor, "n d d"], exponent: float | Float[Tensor, " n"] = 2.0
    ) -> PowerCost:
        """One exponent for all sites, or one each."""
        return cls(sites, metrics, torch.as_tensor(exponent, dtype=torch.float64).expand(len(sites)).contiguous())

    def __len__(self) -> int:
        return len(self.sites)

    @property
    def quadratic(self) -> bool:
        """Are all exponents 2?"""
        return bool((self.exponents == 2).all())

    @property
    def scaled_metrics(self) -> Float[Tensor, "n d d"]:
        """Metrics that hold the scales too: s q^(p/2) = (s^(2/p) q)^(p/2)."""
        if self.scales is None:
            return self.metrics
        return self.metrics * (self.scales ** (2 / self.exponents))[:, None, None]

    def at(
        self, points: Float[Tensor, "m d"], *, lengths: tuple[float, ...], periodic: tuple[bool, ...]
    ) -> Float[Tensor, "m n"]:
        """Costs of all pairs, in plain torch: the reference of what is faster."""
        q = reference.costs(points, self.sites, self.scaled_metrics, lengths=lengths, periodic=periodic)
        return q ** (self.exponents / 2)

    def surface_costs(self, volumes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """About the cost at the surface of a ball of each volume [n], and the unit of a cell's stiffness.

        With V = const w^(d/p), dV/dw = (d/2) V / unit for unit = (p/2) w.
        """
        d = self.sites.shape[1]
        a, e = self.scaled_metrics.numpy(), self.exponents.numpy() / 2
        surface = (0.4 * np.linalg.det(a) ** (1 / d) * volumes ** (2 / d)) ** e
        return surface, e * surface


def _check_range(name: str, values: Tensor, low: float, high: float, *, remedy: str = "") -> None:
    wrong = (values < low) | (values > high)
    if bool(wrong.any()):
        k = int(wrong.nonzero()[0])
        expected = f"numbers from {low:g} to {high:g}" if high < np.inf else "positive numbers"
        raise InvalidParameter(name, expected=expected, got=f"{float(values[k]):g} at site {k + 1}", remedy=remedy)
