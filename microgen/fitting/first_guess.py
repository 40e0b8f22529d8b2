"""What a scan says of its grains before any section of a sample was cut: form, preferred axis, first laws."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.descriptors.grains import equivalent_diameter
from microgen.fitting import views
from microgen.fitting.section_target import SectionTarget
from microgen.fitting.size_curve import SizeCurve
from microgen.fitting.views import resultant
from microgen.microstructure import Microstructure

FLATTEST = 5.0  # mean aspect ratio beyond which grains only cut each other
CHANCE = 1.73  # over sqrt(n): what n random axes reach as the length of their mean in 5 % of cases (Rayleigh)
ROUNDISH, FLAT = 1.53, 1.8  # mean aspect ratios of sections between which grains may be long or flat
SECTION_OF = {
    "prolate": ([1.42, 1.49, 1.61, 1.72, 1.8], [1.0, 1.5, 2.0, 3.0, 4.0]),
    "oblate": ([1.42, 1.53, 1.75, 2.15, 2.4, 2.75], [1.0, 1.5, 2.0, 3.0, 4.0, 6.0]),
}
"""Mean aspect ratio of the section -> of the grains, of samples without fabric; only a start."""


@dataclass(frozen=True)
class Guess:
    """The laws of one round."""

    size: SizeCurve
    aspect_mean: float
    aspect_sd: float
    form: str
    axis: tuple[float, float, float]
    concentration: float
    lloyd: int = 0


def forms_of(target: SectionTarget) -> tuple[str, ...]:
    """What the grains may be: several planes show it by their long axes, where these have a preferred direction.

    One plane shows it by its mean aspect ratio alone: long grains show at most 1.8.
    """
    if target.sides and (fabric := fabric_of(target)).strength:
        return ("oblate",) if fabric.flat else ("prolate",)
    mean = target.measured["aspect_ratio"].mean
    if ROUNDISH <= mean <= FLAT:
        return ("prolate", "oblate")
    return ("oblate",) if mean > FLAT else ("prolate",)


def first_guess(target: SectionTarget, factors: np.ndarray, form: str) -> Guess:
    """Laws before any section was cut: stereology of spheres, and what sections of spheroids usually show."""
    pixel = target.grid.cell_measure
    visible = math.sqrt(4 * target.min_pixels * pixel / math.pi)
    wanted = reduced(target.maps, factors)
    aspect = target.measured["aspect_ratio"]
    axis, strength = preferred(target, form)
    mean = min(float(np.interp(aspect.mean, *SECTION_OF[form])), 0.8 * FLATTEST)
    return Guess(
        SizeCurve.of_sections(wanted, visible=visible),
        aspect_mean=mean,
        aspect_sd=0.25 * (mean - 1),
        form=form,
        axis=axis,
        concentration=4 * strength / (1 - strength),
    )


def preferred(target: SectionTarget, form: str) -> tuple[tuple[float, float, float], float]:
    """The axis along which symmetry axes of grains of this form lie, and how much they do, 0..1."""
    if target.sides:
        fabric = fabric_of(target)
        return fabric.axis, fabric.strength
    axis, strength = alignment(target)
    if form == "oblate":  # the symmetry axis of a flat grain is across the long axis that the section shows
        axis = (-axis[1], axis[0], 0.0)
    return axis, strength


def fabric_of(target: SectionTarget) -> views.Alignment:
    """What several planes show of the preferred axis."""
    return views.alignment({plane: side.measured["axis_angle"][1] for plane, side in target.views.items()})


def alignment(target: SectionTarget) -> tuple[tuple[float, float, float], float]:
    """Axis of the long axes in the scan and its strength 0..1; 0 where it is no more than chance (Rayleigh, 5 %)."""
    angles: Distribution = target.measured["axis_angle"][1]
    mean = resultant(angles)
    half = np.angle(mean) / 2
    strength = abs(mean) if math.sqrt(len(angles)) * abs(mean) > CHANCE else 0.0
    return (round(math.cos(half), 6), round(math.sin(half), 6), 0.0), min(strength, 0.95)


def phases_of_diameters(ms: Microstructure) -> np.ndarray:
    """int [n]: phase of each grain whose diameter counts."""
    rows = equivalent_diameter(ms).grain_id
    assert rows is not None
    assert ms.grains is not None
    return ms.grains.phase_id[rows - 1]


def reduced(maps: Iterable[Microstructure], factors: np.ndarray) -> np.ndarray:
    """Section diameters over the size factor of their phase, µm."""
    return np.concatenate([equivalent_diameter(ms).values / factors[phases_of_diameters(ms)] for ms in maps])
