"""Presets hold what their lines say, in numbers of small samples."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from microgen import Curvatubes, Grid, Microstructure
from microgen.descriptors.euler import euler_number
from microgen.descriptors.percolation import components, percolation
from microgen.descriptors.solid import volume_fraction
from microgen.descriptors.structure_model_index import structure_model_index
from microgen.descriptors.thickness import separation, thickness
from microgen.errors import InvalidParameter
from microgen.generators.curvature_presets import PRESETS, step_for

THICK = 150.0
"""µm"""


@cache
def made(name: str, n: int = 48, spacing: float = 1.0, dx: float = 0.01, seed: int = 0) -> Microstructure:
    grid = Grid((n,) * 3, (spacing,) * 3, periodic=(True,) * 3)
    return replace(Curvatubes.preset(name), dx=dx).sample(grid, seed=seed)


def test_cells_of_polymer_foam_are_closed() -> None:
    """On the torus a solid around N balls of void has the Euler number N: a window in a wall would lower it."""
    foam = made("polymer-foam")
    cells = components(foam, of="void")
    assert cells > 10
    assert components(foam) == 1
    assert euler_number(foam) == pytest.approx(cells, abs=0.1 * cells)
    assert min(percolation(foam, of="void")) < 0.3


def test_walls_of_polymer_foam_are_thin_and_its_voids_convex() -> None:
    foam = made("polymer-foam")
    assert 0.2 < volume_fraction(foam) < 0.5
    assert thickness(foam).mean < 0.5 * separation(foam).mean
    assert structure_model_index(foam) < -2


def test_aluminium_foam_is_open_and_slender() -> None:
    foam = made("aluminium-foam")
    assert components(foam) == components(foam, of="void") == 1
    assert 0.7 < 1 - volume_fraction(foam) < 0.93
    assert separation(foam).mean > 3.5 * thickness(foam).mean
    assert euler_number(foam) < -5


def test_bone_has_the_sizes_of_bone_on_voxels_of_20_micrometres() -> None:
    bone = made("trabecular-bone", 64, 20.0, step_for("trabecular-bone", THICK, 20.0))
    assert 0.1 < volume_fraction(bone) < 0.3
    assert 100 < thickness(bone).mean < 200
    assert 480 < separation(bone).mean < 1000
    assert 0 < structure_model_index(bone) < 3
    assert components(bone) == 1


def test_tubes_are_rods() -> None:
    """Rods have 3, plates 0; where rods branch it is less: 2.6 to 3 from seed to seed (a sponge has 1.1)."""
    found = [structure_model_index(made("tubes", 64, seed=seed)) for seed in range(3)]
    assert sum(found) / 3 == pytest.approx(3, abs=0.5)


def test_spheres_are_separate_balls() -> None:
    balls = made("spheres", 64)
    assert euler_number(balls) == components(balls) > 5


@pytest.mark.parametrize(("thickness_um", "spacing"), [(THICK, 20.0), (180.0, 30.0)])
def test_thickness_sets_dx(thickness_um: float, spacing: float) -> None:
    voxels = PRESETS["trabecular-bone"].thickness / step_for("trabecular-bone", thickness_um, spacing)
    assert voxels * spacing == pytest.approx(thickness_um)


def test_thickness_comes_out_as_asked_for() -> None:
    step = step_for("trabecular-bone", THICK, 20.0)
    found = [thickness(made("trabecular-bone", 64, 20.0, step, seed)).mean for seed in range(2)]
    assert sum(found) / 2 == pytest.approx(THICK, rel=0.05)


@pytest.mark.parametrize("wanted", [60.0, 0.0, -1.0, float("nan"), float("inf")])
def test_a_thickness_that_voxels_cannot_carry_is_refused(wanted: float) -> None:
    with pytest.raises(InvalidParameter, match="thickness"):
        step_for("trabecular-bone", wanted, 20.0)
