"""`Curve`: a descriptor that is a function of a length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.errors import InvalidParameter


@dataclass(frozen=True, eq=False)
class Curve:
    """Values y at places x."""

    x: np.ndarray
    """float64 [n], ascending."""
    y: np.ndarray
    """float64 [n]"""
    unit: str = ""
    """Unit of x."""
    name: str = ""

    def __post_init__(self) -> None:
        x, y = np.asarray(self.x, float), np.asarray(self.y, float)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)
        if x.ndim != 1 or x.shape != y.shape or (np.diff(x) <= 0).any():
            raise InvalidParameter("x", expected="ascending places, one for each value", got=(x.shape, y.shape))

    def __len__(self) -> int:
        return len(self.x)
