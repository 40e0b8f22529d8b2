"""`FitResult`: the generator that a fit settled on, and what is known of how good it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from microgen.fitting.bayesian import Estimate
from microgen.fitting.trials import Trial

G = TypeVar("G")
Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class FitResult(Generic[G]):
    """The generator whose samples came nearest to the target."""

    generator: G
    seconds: float
    notes: tuple[str, ...] = ()
    status: str = "corrected"
    """corrected: by moments alone; inside: every distance within the median noise floor; budget: it was spent."""
    value: float = math.nan
    """Objective on fresh seeds, root mean square of distances over noise floor p95: what is to be reported."""
    spread: float = math.nan
    """Its standard deviation between those seeds."""
    seen: float = math.nan
    """Objective of the same parameters in the search, which chose them by it: lower by luck."""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    """Each free parameter: value, interval, and whether the data identify it."""
    trials: tuple[Trial, ...] = ()
    """Every sample that was made."""
    history: tuple[Any, ...] = ()
    """Rounds of the correction by moments."""

    @property
    def unidentified(self) -> tuple[str, ...]:
        """Parameters that the data leave open."""
        return tuple(name for name, e in self.estimates.items() if not e.identifiable)
