"""`SectionTarget`: what a segmented scan says of its material, through its own window, pixels and clean-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.descriptors.grains import equivalent_diameter, interior_grains
from microgen.descriptors.halves import halves
from microgen.errors import InvalidParameter, NoGrains
from microgen.fitting.planes import windowed
from microgen.fitting.statistics import Kind, kinds
from microgen.fitting.target import Target
from microgen.fitting.views import DIRECTED, Maps, check_plane, together
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure
from microgen.segmentation import segment_grains

WHOLE = 0.8  # share of the points of a map from which its neighbours are those of the material
FEW = 50  # interior grains below which the scan itself hardly says anything


@dataclass(frozen=True, eq=False)
class SectionTarget(Target):
    """Statistics of a segmented scan, and the pipeline that the sections of a sample go through as well."""

    maps: tuple[Microstructure, ...]
    """Segmented: grain_id everywhere, the table of grains; of the same phases, orientations in the sample's frame."""
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
    oriented: bool = True
    """False: orientations were drawn, and stand for nothing."""
    notes: tuple[str, ...] = ()
    """What to keep in mind: few grains, a gradient across the map."""
    sides: dict[str, SectionTarget] = field(default_factory=dict)
    """What each plane says by itself, by its name, where not all maps are of the plane xy."""

    @classmethod
    def of_sides(cls, maps: Maps, threshold: float, min_pixels: int) -> SectionTarget:
        """Measure maps of several planes (see `views`), each with its orientations in its own frame.

        What depends on the side is measured side by side, the rest in all maps together. Raises as `measure` does.
        """
        for plane in maps:
            check_plane(plane)
        if set(maps) == {"xy"}:
            return cls.measure(maps["xy"], threshold, min_pixels)
        sides = {plane: cls.measure(parts, threshold, min_pixels) for plane, parts in maps.items()}
        return replace(cls.measure(together(maps), threshold, min_pixels, mixed=True), sides=sides)

    @property
    def views(self) -> Mapping[str, SectionTarget]:
        """What is seen in each plane, by its name."""
        return self.sides or {"xy": self}

    @classmethod
    def measure(
        cls,
        segmented: Microstructure | Sequence[Microstructure],
        threshold: float,
        min_pixels: int,
        *,
        mixed: bool = False,
    ) -> SectionTarget:
        """Measure all statistics of one or several segmented scans, pooled.

        Raises InvalidParameter for maps without grains in their table, of different phases, or (but where they are
        `mixed`, of several planes) of different pixels, and NoGrains when every grain touches the border.
        """
        maps = (segmented,) if isinstance(segmented, Microstructure) else tuple(segmented)
        if not maps or any(ms.grain_id is None or ms.grains is None or ms.grid.ndim != 2 for ms in maps):
            raise InvalidParameter("scan", expected="segmented maps", got="none", remedy="Use segment_grains first.")
        maps = tuple(windowed(ms) for ms in maps)
        first = maps[0]
        _check_alike(maps, mixed=mixed)
        interior = sum(int(interior_grains(ms).sum()) for ms in maps)
        if interior == 0:
            remedy = "Use a larger map, or a smaller min_pixels."
            grains = sum(len(ms.grains) for ms in maps if ms.grains is not None)
            raise NoGrains(f"All {grains} grains touch the border of the map: none has a size. {remedy}")
        present = tuple(int(p) for p in np.unique(np.concatenate([_phases(ms) for ms in maps])))
        names = _unlike([first.phases[p].name for p in present])
        how = kinds(first.phases, present, names, neighbours_known=whole(maps))
        measured = {name: kind.measure(maps) for name, kind in how.items()}
        notes = _notes(first, interior) if len(maps) == 1 else _few(measured["equivalent_diameter"], interior)
        return cls(maps, threshold, min_pixels, how, measured, present, names, interior, notes=notes)

    @property
    def scan(self) -> Microstructure:
        """The only map, or the first: its pixels are those of the sections of a sample."""
        return self.maps[0]

    support = "section"

    @property
    def statistics(self) -> dict[str, float]:
        """Value of each statistic, by name; of those that depend on the side NAME.PLANE where there are several."""
        kept = [name for name in self.kinds if not (self.sides and name in DIRECTED)]
        found = {
            f"{name}.{plane}": side.kinds[name].value(side.measured[name])
            for name in DIRECTED
            for plane, side in self.sides.items()
        }
        return found | {name: self.kinds[name].value(self.measured[name]) for name in kept}

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
        parts = [ms.grains for ms in self.maps if ms.grains is not None]
        areas = sum(np.bincount(g.phase_id, g.volume, len(self.scan.phases)) for g in parts)
        assert isinstance(areas, np.ndarray)
        return tuple(float(areas[p] / areas.sum()) for p in self.phases)

    def segment(self, section: Microstructure) -> Microstructure:
        """A section through the scan's own pipeline."""
        return segment_grains(section, threshold=self.threshold, min_pixels=self.min_pixels)


def whole(maps: Sequence[Microstructure]) -> bool:
    """Do the files hold enough points of their maps to show who borders whom?"""

    def share(ms: Microstructure) -> float:
        there = ms.grid.exists() if isinstance(ms.grid, HexGrid) else np.ones(ms.grid.shape, bool)
        return 1.0 if ms.measured is None else float(ms.measured[there].mean())

    return all(share(ms) > WHOLE for ms in maps)


def _check_alike(maps: Sequence[Microstructure], *, mixed: bool) -> None:
    """Maps that are measured together have the same phases, and those of one plane the same pixels."""
    first = maps[0]
    for ms in maps[1:]:
        if [p.name for p in ms.phases] != [p.name for p in first.phases]:
            wanted, got = (", ".join(p.name for p in of.phases) for of in (first, ms))
            raise InvalidParameter("scan", expected=f"scans of the same phases, {wanted}", got=got)
        alike = type(ms.grid) is type(first.grid) and np.allclose(ms.grid.spacing, first.grid.spacing, rtol=0.01)
        if not alike and not mixed:
            wanted, got = (f"{type(of.grid).__name__} of {of.grid.spacing[0]:.4g} µm" for of in (first, ms))
            remedy = "Scans of another step see other grains: fit to each by itself."
            raise InvalidParameter("scan", expected=f"pixels as in the first scan, {wanted}", got=got, remedy=remedy)


def _phases(ms: Microstructure) -> np.ndarray:
    assert ms.grains is not None
    return ms.grains.phase_id


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
    diameters = equivalent_diameter(scan)
    notes = list(_few(diameters, interior))
    floor = _floor(diameters, interior)
    apart = halves(scan, diameters)
    for name, value in (("left and right", apart.left_right), ("upper and lower", apart.top_bottom)):
        # Halves hold half the grains each; two to three times their median distance is beyond the 95th percentile.
        if value > 2.5 * floor * np.sqrt(2):
            notes.append(f"the {name} halves of the map differ by {value:.0%} in their diameters: there is a gradient.")
    return tuple(notes)


def _floor(diameters: Distribution, interior: int) -> float:
    """Relative difference in diameters of two scans like this one."""
    return float(1.15 * diameters.cv * np.sqrt(2 / interior))


def _few(diameters: Distribution, interior: int) -> tuple[str, ...]:
    if interior >= FEW:
        return ()
    text = f"only {interior} grains lie inside the map: two such scans of one material differ by"
    return (f"{text} {_floor(diameters, interior):.0%} in their diameters, and finer differences cannot be told.",)
