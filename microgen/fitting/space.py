"""What a fit may change: parameters with their ranges, as points of a unit cube."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from microgen.errors import InvalidParameter


@dataclass(frozen=True)
class Parameter:
    """One number that is searched for, by the dotted name of the generator's field."""

    name: str
    low: float
    high: float
    log: bool = False
    """Searched in the logarithm: for scales."""

    def __post_init__(self) -> None:
        fine = math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high
        if not fine or (self.log and self.low <= 0):
            raise InvalidParameter(self.name, expected="a lower and a higher bound", got=(self.low, self.high))

    def value(self, unit: float) -> float:
        """0 is `low`, 1 is `high`."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        x = low + float(np.clip(unit, 0, 1)) * (high - low)
        return float(f"{math.exp(x) if self.log else x:.6g}")

    def unit(self, value: float) -> float:
        """Inverse of `value`, clipped to the range."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        x = math.log(max(value, self.low)) if self.log else value
        return float(np.clip((x - low) / (high - low), 0, 1))


@dataclass(frozen=True)
class Space:
    """All that is searched for together."""

    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def values(self, unit: Sequence[float]) -> dict[str, float]:
        """Parameters by name at a point of the cube."""
        return {p.name: p.value(x) for p, x in zip(self.parameters, unit)}

    def unit(self, values: Mapping[str, float]) -> list[float]:
        """The point of the cube nearest to these values."""
        return [p.unit(values[p.name]) for p in self.parameters]

    def only(self, names: Sequence[str]) -> Space:
        """Some of the parameters. Raises InvalidParameter for names that are none."""
        strange = [name for name in names if name not in self.names]
        if strange:
            raise InvalidParameter("free", expected=f"some of {', '.join(self.names)}", got=", ".join(strange))
        return Space(tuple(p for p in self.parameters if p.name in names))
