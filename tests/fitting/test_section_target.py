"""Sections: planes of a periodic sample are windows, as scans are; forms of grains that sections cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from microgen import AspectRatioLaw, Grid, Microstructure, Polycrystal, SizeLaw, Target, compare, segment_grains
from microgen.fitting.quick import Corrected, Fixed, Round, _likelier

LIMIT = np.radians(5), 10


@pytest.fixture(scope="module")
def sample() -> Microstructure:
    return Polycrystal(600, size=SizeLaw(cv=0.3)).sample(Grid((72,) * 3, (1.0,) * 3, periodic=(True,) * 3), seed=1)


def test_planes_of_a_periodic_sample_show_what_its_sections_show(sample: Microstructure) -> None:
    planes = [sample.section(2, z) for z in range(4, 72, 8)]
    maps = [segment_grains(replace(plane, orientation=plane.point_orientation), min_pixels=10) for plane in planes]
    found = compare(sample, Target.from_scan(maps, *LIMIT), seed=0)["equivalent_diameter"]
    assert found.achieved == pytest.approx(found.target, rel=0.025)


def test_a_target_of_a_periodic_plane_leaves_out_the_grains_at_its_border(sample: Microstructure) -> None:
    plane = sample.section(2, 0)
    segmented = segment_grains(replace(plane, orientation=plane.point_orientation), min_pixels=10)
    assert segmented.grains is not None
    assert Target.from_scan(segmented, *LIMIT).interior < 0.95 * len(segmented.grains)


def corrected(form: str, objective: float) -> Corrected:
    laws = Polycrystal(aspect_ratio=AspectRatioLaw(1.7, 0.1, form))  # type: ignore[arg-type]
    fixed = Fixed((), laws.texture, np.ones(1), {})
    return Corrected(laws, fixed, (Round(2.0, {}, {}), Round(objective, {}, {})))


@pytest.mark.parametrize(("long", "flat", "form", "told"), [(0.5, 0.4, "prolate", True), (0.9, 0.4, "oblate", False)])
def test_flat_grains_must_be_nearer_by_more_than_chance(long: float, flat: float, form: str, told: bool) -> None:
    found = _likelier([corrected("prolate", long), corrected("oblate", flat)])
    assert found.generator.aspect_ratio.form == form
    assert bool(found.notes) == told
