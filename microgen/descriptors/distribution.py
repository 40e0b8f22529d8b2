"""`Distribution`: weighted values with a unit, what the descriptors return and the distances compare."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from microgen.errors import InvalidParameter


@dataclass(frozen=True, eq=False)
class Distribution:
    """Weighted values. Means, deviations and quantiles are nan when there is no value or no weight."""

    values: np.ndarray
    """float64 [n]"""
    weights: np.ndarray | None = None
    """float64 [n], not negative, in any scale; equal when not given."""
    unit: str = ""
    name: str = ""
    grain_id: np.ndarray | None = None
    """int [n]: the grain that each value belongs to, where it belongs to one."""
    grouped: bool = False
    """Weights are the numbers of equal values, and not a measure of theirs."""

    def __post_init__(self) -> None:
        values = np.asarray(self.values, float).ravel()
        weights = np.ones(len(values)) if self.weights is None else np.asarray(self.weights, float).ravel()
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weights", weights)
        if len(weights) != len(values) or not np.all(np.isfinite(weights) & (weights >= 0)):
            raise InvalidParameter("weights", expected=f"{len(values)} finite numbers >= 0", got=weights)
        if not np.isfinite(values).all():
            raise InvalidParameter("values", expected="finite numbers", got=values[~np.isfinite(values)][:3])

    def __len__(self) -> int:
        return len(self.values)

    @property
    def share(self) -> np.ndarray:
        """Weights that sum to one, float64 [n]."""
        assert self.weights is not None  # set in __post_init__
        total = self.weights.sum()
        return self.weights / total if total > 0 else np.full(len(self.values), np.nan)

    @property
    def mean(self) -> float:
        """sum w x / sum w"""
        return float(self.share @ self.values) if len(self) else math.nan

    @property
    def sd(self) -> float:
        """sqrt(sum w (x - mean)² / sum w), not corrected for the number of values."""
        return float(np.sqrt(self.share @ (self.values - self.mean) ** 2)) if len(self) else math.nan

    @property
    def cv(self) -> float:
        """Coefficient of variation, sd / mean."""
        return self.sd / self.mean if self.mean else math.nan

    def quantile(self, p: float) -> float:
        """Smallest value that at least a share p of the weight does not exceed."""
        if not 0 <= p <= 1:
            raise InvalidParameter("p", expected="a share between 0 and 1", got=p)
        order = np.argsort(self.values)
        filled = np.cumsum(self.share[order])
        if not len(self) or not np.isfinite(filled[-1]):
            return math.nan
        # The tolerance keeps 3 x 1/3 from falling short of 1.
        return float(self.values[order][min(int(np.searchsorted(filled, p - 1e-12)), len(self) - 1)])

    def take(self, rows: np.ndarray) -> Distribution:
        """The values of some rows (indices, repeated or not, or a mask)."""
        assert self.weights is not None
        grain_id = None if self.grain_id is None else self.grain_id[rows]
        return replace(self, values=self.values[rows], weights=self.weights[rows], grain_id=grain_id)


@dataclass(frozen=True)
class Lognormal:
    """ln x is normal with mean ln(median) and deviation sigma."""

    median: float
    sigma: float

    @property
    def mean(self) -> float:
        """median exp(sigma²/2)"""
        return self.median * math.exp(self.sigma**2 / 2)

    @property
    def cv(self) -> float:
        """sqrt(exp(sigma²) - 1)"""
        return math.sqrt(math.expm1(self.sigma**2))


def fit_lognormal(d: Distribution) -> Lognormal:
    """Lognormal of largest likelihood: weighted mean and deviation of ln x. Raises InvalidParameter unless x > 0."""
    if len(d) == 0 or d.values.min() <= 0:
        raise InvalidParameter("values", expected="one or more positive numbers", got=d.values[:3])
    logarithm = Distribution(np.log(d.values), d.weights)
    return Lognormal(median=math.exp(logarithm.mean), sigma=logarithm.sd)
