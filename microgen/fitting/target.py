"""`Target`: what was measured of a material, through which window, and how well."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from microgen.descriptors.describe import has_grains
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Microstructure

if TYPE_CHECKING:
    from microgen.fitting.published import SectionNumbers
    from microgen.fitting.section_target import SectionTarget
    from microgen.fitting.volume_target import VolumeTarget
    from microgen.fitting.wish_target import WishTarget


DEFAULT_THRESHOLD, DEFAULT_PIXELS = math.radians(5), 10
"""Misorientation that separates grains, and the smallest region that is one."""


class Target(ABC):
    """Measured statistics, with the pipeline that samples go through as well. Made by the methods from_... and of."""

    support: Literal["section", "volume"]
    """What was seen: planes through the material, or a part of its volume."""
    notes: tuple[str, ...]
    """What was done to the data, or what they are too few for."""

    @property
    @abstractmethod
    def statistics(self) -> dict[str, float]:
        """Value of each statistic, by name."""

    @property
    @abstractmethod
    def caveats(self) -> tuple[str, ...]:
        """What to keep in mind: little data, a gradient, what was done to them."""

    @property
    @abstractmethod
    def window(self) -> tuple[int, ...]:
        """Points of a sample, of the target's own size, that are looked at together."""

    @staticmethod
    def from_scan(
        segmented: Microstructure | Sequence[Microstructure],
        threshold: float,
        min_pixels: int,
        planes: Sequence[str] = (),
    ) -> SectionTarget:
        """Of one segmented map or several, with the threshold (radians) and the fewest pixels of their segmentation.

        `planes` names the axes of the sample along each map's x and y: "xy" (all, when not given), "yz", "xz" ...; so
        three orthogonal sections tell the fabric in space. Orientations are in the frame of their map.
        """
        from microgen.fitting.section_target import SectionTarget

        maps = [segmented] if isinstance(segmented, Microstructure) else list(segmented)
        names = list(planes) or ["xy"] * len(maps)
        if len(names) != len(maps):
            raise InvalidParameter("planes", expected=f"one name for each of {len(maps)} maps", got=", ".join(names))
        by_plane = {name: [ms for ms, its in zip(maps, names) if its == name] for name in dict.fromkeys(names)}
        return SectionTarget.of_sides(by_plane, threshold, min_pixels)

    @staticmethod
    def from_volume(volume: Microstructure, *, factor: int | None = None) -> VolumeTarget:
        """Of the solid of a volume; `factor` voxels are taken as one."""
        from microgen.fitting.volume_target import VolumeTarget

        return VolumeTarget.measure(volume, factor=factor)

    @staticmethod
    def from_numbers(
        numbers: Mapping[str, Any], *, tolerance: Mapping[str, float] | None = None, spacing: float | None = None
    ) -> WishTarget:
        """Of wished or published numbers: NAME -> number, or NAME -> {mean, cv, tolerance}, in powers of µm."""
        from microgen.fitting.wish_target import WishTarget

        return WishTarget.of_numbers(numbers, tolerance=tolerance, spacing=spacing)

    @staticmethod
    def from_section_numbers(
        numbers: Mapping[str, Any], *, tolerance: Mapping[str, float] | None = None
    ) -> SectionNumbers:
        """Of published numbers on grains in sections: NAME -> number, or NAME -> {mean, cv, tolerance}, lengths in µm.

        Names are equivalent_diameter, intercept_length, astm_grain_size (one at least) and aspect_ratio.
        """
        from microgen.fitting.published import SectionNumbers

        return SectionNumbers.of_numbers(numbers, tolerance=tolerance)

    @staticmethod
    def of(ms: Microstructure, **options: Any) -> SectionTarget | VolumeTarget:
        """Of a map of orientations, a volume of grains (by planes of it) or of solid and void, whichever it is.

        Raises InvalidParameter for anything else.
        """
        if ms.grid.ndim == 2 and ms.orientation is not None or has_grains(ms):
            from microgen.fitting.planes import grain_maps, has_orientations

            limits = {"threshold": DEFAULT_THRESHOLD, "min_pixels": DEFAULT_PIXELS} | options
            from microgen.fitting.section_target import SectionTarget

            target = SectionTarget.of_sides(grain_maps(ms, **limits), **limits)
            return replace(target, oriented=has_orientations(ms))
        if isinstance(ms.grid, Grid) and ms.grid.ndim == 3 and not has_grains(ms):
            return Target.from_volume(ms, **options)
        raise InvalidParameter("ms", expected="a scan, or a volume of solid and void", got=type(ms.grid).__name__)
