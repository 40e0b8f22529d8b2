"""`SectionTarget`: what a segmented scan says of its material, through its own window, pixels and clean-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.descriptors.grains import equivalent_diameter, interior_grains
from microgen.descriptors.halves import halves
from microgen.errors import InvalidParameter, NoGrains
from microgen.fitting.statistics import Kind, kinds
from microgen.fitting.target import Target
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure
from microgen.segmentation import segment_grains

FEW = 50  # interior grains below which the scan itself hardly says anything


@dataclass(frozen=True, eq=False)
class SectionTarget(Target):
    """Statistics of a segmented scan, and the pipeline that the sections of a sample go through as well."""

    scan: Microstructure
    """Segmented: grain_id everywhere, the table of grains."""
    threshold: float
    """Misorientation that separates grains, radians."""
    min_pixels: int
    """Smaller regions were given to their neighbours."""
    kinds: dict[str, Kind]
    """How each statistic is measured, by name."""
    measured: dict[str, Any]
    """What each kind measured on the scan, by the same names."""
    phases: tuple[int, ...]
    """The phases that occur, as indices into `scan.phases`."""
    phase_names: tuple[str, ...]
    """Their names, made different where the scan uses one twice."""
    interior: int
    """Grains that do not touch the border of the map."""
    notes: tuple[str, ...] = ()
    """What to keep in mind: few grains, a gradient across the map."""

    @classmethod
    def measure(cls, segmented: Microstructure, threshold: float, min_pixels: int) -> SectionTarget:
        """Measure all statistics of a segmented scan.

        Raises InvalidParameter for a map without grains in its table, NoGrains when every grain touches the border.
        """
        if segmented.grain_id is None or segmented.grains is None or segmented.grid.ndim != 2:
            raise InvalidParameter("scan", expected="a segmented map", got="none", remedy="Use segment_grains first.")
        interior = int(interior_grains(segmented).sum())
        if interior == 0:
            remedy = "Use a larger map, or a smaller min_pixels."
            raise NoGrains(f"All {len(segmented.grains)} grains touch the border of the map: none has a size. {remedy}")
        present = tuple(int(p) for p in np.unique(segmented.grains.phase_id))
        names = _unlike([segmented.phases[p].name for p in present])
        how = kinds(segmented.phases, present, names)
        measured = {name: kind.measure([segmented]) for name, kind in how.items()}
        notes = _notes(segmented, interior)
        return cls(segmented, threshold, min_pixels, how, measured, present, names, interior, notes)

    support = "section"

    @property
    def statistics(self) -> dict[str, float]:
        """Value of each statistic, by name."""
        return {name: kind.value(self.measured[name]) for name, kind in self.kinds.items()}

    @property
    def caveats(self) -> tuple[str, ...]:
        """What to keep in mind."""
        return self.notes

    @property
    def window(self) -> tuple[int, ...]:
        """The map."""
        return self.scan.grid.shape

    @property
    def grid(self) -> Grid | HexGrid:
        """The scan's own pixels."""
        return self.scan.grid

    @property
    def diameters(self) -> Distribution:
        """Equivalent-circle diameters of the interior grains, µm."""
        return self.measured["equivalent_diameter"]

    @property
    def phase_fractions(self) -> tuple[float, ...]:
        """Area shares of `phases`, summing to one."""
        assert self.scan.grains is not None
        areas = np.bincount(self.scan.grains.phase_id, self.scan.grains.volume, len(self.scan.phases))
        return tuple(float(areas[p] / areas.sum()) for p in self.phases)

    def segment(self, section: Microstructure) -> Microstructure:
        """A section through the scan's own pipeline."""
        return segment_grains(section, threshold=self.threshold, min_pixels=self.min_pixels)


def _unlike(names: Sequence[str]) -> tuple[str, ...]:
    """The names, with a number after those that occurred before."""
    out: list[str] = []
    for name in names:
        number, unlike = 2, name or "phase"
        while unlike in out:
            unlike, number = f"{name} ({number})", number + 1
        out.append(unlike)
    return tuple(out)


def _notes(scan: Microstructure, interior: int) -> tuple[str, ...]:
    notes = []
    diameters = equivalent_diameter(scan)
    floor = 1.15 * diameters.cv * np.sqrt(2 / interior)  # of two scans like this one
    if interior < FEW:
        text = f"only {interior} grains lie inside the map: two such scans of one material differ by"
        notes.append(f"{text} {floor:.0%} in their diameters, and finer differences cannot be told.")
    apart = halves(scan, diameters)
    for name, value in (("left and right", apart.left_right), ("upper and lower", apart.top_bottom)):
        # Halves hold half the grains each; two to three times their median distance is beyond the 95th percentile.
        if value > 2.5 * floor * np.sqrt(2):
            notes.append(f"the {name} halves of the map differ by {value:.0%} in their diameters: there is a gradient.")
    return tuple(notes)
