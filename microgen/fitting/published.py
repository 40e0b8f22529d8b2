"""`SectionNumbers`: grain sizes and shapes in sections as papers and standards state them.

No scan is at hand, so nothing is known of its pixels: sections are measured finely, 15 points a diameter, and every
grain of 5 points or more counts, by the rule for the border that scans are measured by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from microgen.descriptors.grains import aspect_ratio, equivalent_diameter, interior_grains
from microgen.errors import InvalidParameter
from microgen.fitting.sections import Body, sections
from microgen.fitting.statistics import Statistic, pooled
from microgen.fitting.target import Target
from microgen.fitting.wish_target import tolerances, with_spread
from microgen.generators.laws import number
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import random_orientations
from microgen.segmentation import segment_grains

SIZES = ("equivalent_diameter", "intercept_length", "astm_grain_size")
"""Numbers that set the size of the grains; of several the first is fitted, the others are checked."""
UNITS = {"equivalent_diameter": "µm", "intercept_length": "µm"}
NAMES = (*SIZES, "equivalent_diameter_cv", "aspect_ratio", "aspect_ratio_cv")
FINE, FEWEST_POINTS = 15, 5
ACROSS = 16  # diameters along a side of a section, which a small periodic sample fills by repeating: grains that its
# border cuts are left out, which are the large ones
SHARES = {"equivalent_diameter": 0.03, "intercept_length": 0.03, "aspect_ratio": 0.03}
"""Default tolerances relative to the number; of the ASTM number 0.1, of coefficients of variation 0.05."""


@dataclass(frozen=True, eq=False)
class SectionNumbers(Target):
    """Published statistics of grains in sections."""

    wish: dict[str, float]
    """Of NAMES; lengths in µm."""
    tolerance: dict[str, float]
    """Difference that is good enough, in the unit of the number."""

    support = "section"
    notes = ()

    @classmethod
    def of_numbers(cls, numbers: Mapping[str, Any], *, tolerance: Mapping[str, float] | None = None) -> SectionNumbers:
        """From NAME -> number, or NAME -> {mean, cv, tolerance}.

        Raises InvalidParameter for other names than NAMES, numbers that cannot be, and no size among them.
        """
        wish, fine = with_spread(numbers, "{}_cv", scaled=False)
        fine = tolerances(wish, fine | dict(tolerance or {}), check=_check, usual=_usual)
        if not any(name in wish for name in SIZES):
            got = ", ".join(wish) or "none"
            raise InvalidParameter("numbers", expected=f"a size: {', '.join(SIZES[:2])} or {SIZES[2]}", got=got)
        return cls(wish, fine)

    @property
    def statistics(self) -> dict[str, float]:
        """The numbers."""
        return dict(self.wish)

    @property
    def caveats(self) -> tuple[str, ...]:
        """Papers seldom say more than the number."""
        return ()

    @property
    def window(self) -> tuple[int, ...]:
        """Points of a section."""
        return (FINE * ACROSS,) * 2

    @property
    def diameter(self) -> float:
        """Rough mean diameter of sections, µm."""
        if "equivalent_diameter" in self.wish:
            return self.wish["equivalent_diameter"]
        if "intercept_length" in self.wish:
            return 1.2 * self.wish["intercept_length"]
        return math.sqrt(4 / math.pi / grains_per_area(self.wish["astm_grain_size"]))

    def measure(self, body: Body, *, seed: int) -> dict[str, float]:
        """All NAMES in sections of a body, at places drawn from `seed`."""
        step = self.diameter / FINE
        drawn = random_orientations(len(body.phase_id), np.random.default_rng(0))  # borders are between cells alone
        bare = replace(body, orientation=drawn, phase_id=np.zeros(len(drawn), int), phases=(Phase("any", "-1"),))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4,)))
        window = Grid(self.window, (step, step))
        maps = [
            segment_grains(plane, threshold=math.radians(1), min_pixels=FEWEST_POINTS)
            for plane in sections(bare, window, rng=rng)
        ]
        size, shape = (pooled([of(ms) for ms in maps]) for of in (equivalent_diameter, aspect_ratio))
        return {
            "equivalent_diameter": size.mean,
            "equivalent_diameter_cv": size.cv,
            "aspect_ratio": shape.mean,
            "aspect_ratio_cv": shape.cv,
            "intercept_length": _intercept(maps),
            "astm_grain_size": _astm(maps),
        }

    def compare(
        self, samples: Sequence[Microstructure], *, seed: int, body: Body | None = None
    ) -> dict[str, Statistic]:
        """Each number against the mean over the samples (or the body). Raises InvalidParameter without a diagram."""
        found = [self.measure(b, seed=seed) for b in ([body] if body else [Body.of(s) for s in samples])]
        return self.against({name: float(np.mean([f[name] for f in found])) for name in self.wish})

    def against(self, achieved: Mapping[str, float]) -> dict[str, Statistic]:
        """Each number against what was achieved."""
        out = {}
        for name, value in self.wish.items():
            here, t = achieved[name], self.tolerance[name]
            out[name] = Statistic(value, here, abs(here - value), t / 2, t, True, UNITS.get(name, ""))
        return out


def grains_per_area(astm: float) -> float:
    """Grains per µm² of an ASTM grain size number G: N_A = 2^(G + 2.954) per mm² (ASTM E112, equation 9)."""
    return 2 ** (astm + 2.954) * 1e-6


def _intercept(maps: Sequence[Microstructure]) -> float:
    """Length of test lines along x and y over the boundaries they cross (ASTM E112, Heyn's procedure), µm."""
    length, crossed = 0.0, 0
    for ms in maps:
        assert ms.grain_id is not None
        length += 2 * math.prod(ms.grid.lengths) / ms.grid.spacing[0]
        crossed += sum(int((np.diff(ms.grain_id, axis=axis) != 0).sum()) for axis in (0, 1))
    return length / max(crossed, 1)


def _astm(maps: Sequence[Microstructure]) -> float:
    """Grain size number from the grains of an area, those at the border half (ASTM E112, Jeffries' procedure)."""
    area = sum(math.prod(ms.grid.lengths) for ms in maps)
    inside = sum(int(interior_grains(ms).sum()) for ms in maps)
    touched = sum(len(ms.grains) for ms in maps if ms.grains is not None) - inside
    return math.log2(1e6 * (inside + touched / 2) / area) - 2.954


def _check(name: str, value: Any) -> None:
    if name not in NAMES:
        raise InvalidParameter("numbers", expected=f"some of {', '.join(NAMES)}", got=name)
    low = {"astm_grain_size": -10.0, "aspect_ratio": 1.0}.get(name, 0.0)
    if not number(value) or value < low or (value == 0 and name != "astm_grain_size"):
        expected = f"a number of {low:g} or more" if low else "a number above 0"
        raise InvalidParameter(name, expected=expected, got=value)


def _usual(name: str, value: float) -> float:
    """Tolerance of a number without one."""
    if name == "astm_grain_size":
        return 0.1
    return SHARES[name] * value if name in SHARES else 0.05
