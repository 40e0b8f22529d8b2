"""`WishTarget`: numbers that a material should have, each with a tolerance that is good enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microgen.atlas import STATISTICS, Atlas
from microgen.descriptors.fingerprint import fingerprint
from microgen.errors import InvalidParameter
from microgen.fitting.statistics import Statistic
from microgen.fitting.target import Target
from microgen.grid import Grid
from microgen.microstructure import Microstructure

CLOSE, SHARE = 0.05, 0.02  # default tolerances: relative, and absolute of fractions
SMI, COUNTED = 0.3, 0.2
BLOCK = 64  # voxels along a sample of the search
ACROSS = {"thickness": 7.0, "separation": 16.0, "correlation_length": 5.0, "specific_surface": 0.12}
"""Voxels that a wished length should span, or its surface per voxel: what a box of 64 holds with some repeats."""
UNIT = {1: "µm", 0: "", -1: "1/µm", -2: "1/µm²", -3: "1/µm³"}


@dataclass(frozen=True, eq=False)
class WishTarget(Target):
    """Wished statistics of a texture (names of `Atlas.dimension`), in powers of µm."""

    wish: dict[str, float]
    tolerance: dict[str, float]
    """Difference that is good enough, in the unit of the wish."""
    spacing: tuple[float, ...]
    """Of the voxels of samples, µm."""

    support = "volume"
    factor = 1
    block = (BLOCK,) * 3

    @classmethod
    def of_numbers(
        cls, numbers: Mapping[str, Any], *, tolerance: Mapping[str, float] | None = None, spacing: float | None = None
    ) -> WishTarget:
        """From NAME -> number, or NAME -> {mean, cv, tolerance} as papers state distributions.

        Without `spacing` voxels are as large as a wished length allows. Raises InvalidParameter for unknown names and
        numbers that cannot be.
        """
        wish, fine = with_spread(numbers, "{}_sd", scaled=True)
        if not wish:
            raise InvalidParameter("wish", expected="one statistic or more", got="none")
        fine = tolerances(wish, fine | dict(tolerance or {}), check=_check, usual=_usual)
        _check_pairs(wish)
        return cls(wish, fine, (spacing or _spacing(wish),) * 3)

    @property
    def grid(self) -> Grid:
        """Of a sample of the search."""
        return Grid(self.block, self.spacing, periodic=(True,) * 3)

    @property
    def statistics(self) -> dict[str, float]:
        """The wish."""
        return dict(self.wish)

    @property
    def caveats(self) -> tuple[str, ...]:
        """Nothing is known of a material that is only wished for."""
        return ()

    notes = ()

    @property
    def window(self) -> tuple[int, ...]:
        """Any box will do."""
        return (1, 1, 1)

    @property
    def fraction(self) -> float | None:
        """Wished volume fraction of the solid."""
        return self.wish.get("volume_fraction", 1 - self.wish["porosity"] if "porosity" in self.wish else None)

    @property
    def length(self) -> tuple[str, float, int] | None:
        """A wish that the scale sets: name, value, power of length."""
        for name in ("thickness", "separation", *self.wish):
            power = Atlas.dimension(name)
            if name in self.wish and power and self.wish[name]:
                return name, self.wish[name], power
        return None

    def wishes(self, *, turned: bool) -> dict[str, float]:
        """What to look for in an atlas; of the void taken as the solid when `turned`."""
        if not turned:
            return dict(self.wish)
        other = {"thickness": "separation", "separation": "thickness", "porosity": "volume_fraction"}
        other |= {"volume_fraction": "porosity", "specific_surface": "specific_surface"}
        other |= {"euler_density": "euler_density", "connectivity_density": "connectivity_density"}
        found = {other[name]: value for name, value in self.wish.items() if name in other}
        return found or {"volume_fraction": 1 - (self.fraction or 0.5)}

    def floors(self, count: int, *, seed: int) -> dict[str, tuple[float, float]]:
        """Half the tolerance, and the tolerance: in place of the noise of a measurement."""
        return {name: (t / 2, t) for name, t in self.tolerance.items()}

    def compare(
        self,
        samples: Sequence[Microstructure],
        *,
        seed: int,
        only_objective: bool = False,
        floors: dict[str, tuple[float, float]] | None = None,
    ) -> dict[str, Statistic]:
        """Each wish against the mean over the samples."""
        found = [fingerprint(sample) for sample in samples]
        out = {}
        for name, value in self.wish.items():
            here = [1 - f["volume_fraction"] if name == "porosity" else f[name] for f in found]
            achieved, t = float(np.mean(here)), self.tolerance[name]
            unit = UNIT.get(Atlas.dimension(name), "")
            out[name] = Statistic(value, achieved, abs(achieved - value), t / 2, t, True, unit)
        return out


def with_spread(numbers: Mapping[str, Any], spread: str, *, scaled: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Wishes and tolerances from numbers and tables; `spread` names what a cv (`scaled` by the mean) is kept as."""
    wish: dict[str, float] = {}
    fine: dict[str, float] = {}
    for name, value in numbers.items():
        if not isinstance(value, Mapping):
            wish[name] = value
            continue
        strange = set(value) - {"mean", "cv", "tolerance"}
        if strange or "mean" not in value:
            raise InvalidParameter(name, expected="mean, and maybe cv and tolerance", got=", ".join(value))
        wish[name] = value["mean"]
        if "cv" in value:
            wish[spread.format(name)] = value["cv"] * value["mean"] if scaled else value["cv"]
        if "tolerance" in value:
            fine[name] = float(value["tolerance"])
    return wish, fine


def tolerances(
    wish: Mapping[str, Any],
    given: Mapping[str, float],
    *,
    check: Callable[[str, Any], None],
    usual: Callable[[str, float], float],
) -> dict[str, float]:
    """Tolerance of each wish, the usual one where none is given. Raises InvalidParameter, and what `check` does."""
    found: dict[str, float] = {}
    for name, value in wish.items():
        check(name, value)
        found[name] = given[name] if name in given else usual(name, value)
        if not found[name] > 0:
            raise InvalidParameter(f"tolerance of {name}", expected="a number above 0", got=found[name])
    return found


def _check(name: str, value: Any) -> None:
    power = Atlas.dimension(name)  # refuses what is no statistic
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidParameter(name, expected="a finite number", got=value)
    positive = power == 1 or name in ("specific_surface", "porosity", "volume_fraction")
    below = math.inf if name not in ("porosity", "volume_fraction") else 1.0
    if positive and not 0 < value < below:
        expected = "a share between 0 and 1" if below == 1.0 else "a number above 0"
        raise InvalidParameter(name, expected=expected, got=value)


def _check_pairs(wish: Mapping[str, float]) -> None:
    both = "porosity" in wish and "volume_fraction" in wish
    if both and abs(wish["porosity"] + wish["volume_fraction"] - 1) > 1e-6:
        got = f"{wish['porosity']:g} and {wish['volume_fraction']:g}"
        raise InvalidParameter("porosity, volume_fraction", expected="numbers that sum to 1", got=got)


def _usual(name: str, value: float) -> float:
    """Tolerance of a wish without one."""
    if name in ("porosity", "volume_fraction") or name.startswith("correlation_") and STATISTICS.get(name) == 0:
        return SHARE
    if name == "structure_model_index":
        return SMI
    # Loops are counted: a box holds some ten, which chance makes three more or less.
    share = COUNTED if name in ("euler_density", "connectivity_density") else CLOSE
    return max(share * abs(value), 1e-12)


def _spacing(wish: Mapping[str, float]) -> float:
    """Voxels as large as a wished length allows, µm."""
    for name, voxels in ACROSS.items():
        if name in wish:
            return float(f"{wish[name] / voxels if STATISTICS[name] == 1 else voxels / wish[name]:.3g}")
    for name, value in wish.items():
        power = Atlas.dimension(name)
        if power < 0 and value:  # curvatures and numbers of a volume: the length they stand for
            return float(f"{abs(value) ** (1 / power) / 10:.3g}")
    return 20.0
