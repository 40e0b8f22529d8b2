"""Parameters that a fit may change, and those it may not: told before anything is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microgen import Curvatubes, Grid, Microstructure, Phase, Polycrystal, Target, fit
from microgen.errors import InvalidParameter
from microgen.fitting.texture_fit import NAMES, texture_problem


@pytest.fixture(scope="module")
def balls() -> Target:
    x = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij")) % 20 - 9.5
    full = (x**2).sum(0) < 60
    phases = (Phase("solid"),)
    return Target.from_volume(
        Microstructure(Grid(full.shape, (2.0,) * 3), np.where(full, 0, -1).astype(np.int16), phases)
    )


@pytest.fixture(scope="module")
def grains() -> Target:
    return Target.of(Polycrystal(200, tolerance=0.05).sample(Grid((40, 40, 40), (1.0,) * 3), seed=0))


def test_a_mass_that_is_given_is_not_searched_for(balls: Target) -> None:
    problem = texture_problem(Curvatubes(), balls, free=None, fixed={"mass": -0.5}, seed=0)
    assert problem.base.mass == -0.5
    assert problem.free == tuple(name for name in NAMES if name != "mass")


def test_large_features_leave_room_for_the_interface_in_the_box_of_the_search(balls: Target) -> None:
    problem = texture_problem(Curvatubes(), balls, free=None, seed=0)
    for dx in (0.001, 0.003, 0.01, 0.05):  # at the least the default eps is wider than the box
        found = problem.coarse({"mass": -0.5, "dx": dx})
        found.check(problem.grid, seed=0)
        assert 1.5 <= found.eps / found.dx <= min(problem.grid.shape) / 10


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ({"free": ("mass", "dx"), "fixed": {"dx": 0.01}}, "got 'dx'"),
        ({"fixed": {"reduced.kg": 1.0}}, "mass or dx"),
        ({"free": ()}, "got 'none'"),
        ({"free": ("size.cv",)}, "got 'size.cv'"),
    ],
)
def test_textures_refuse_names_that_contradict(how: dict[str, Any], word: str, balls: Target) -> None:
    with pytest.raises(InvalidParameter, match=word):
        fit(Curvatubes(), balls, seed=0, budget=4, **how)


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ({"free": ("size.cv",), "fixed": {"size.cv": 0.3}}, "got 'size.cv'"),
        ({"fixed": {"mass": 0.3}}, "got 'mass'"),
        ({"free": ()}, "got 'none'"),
        ({"free": ("size.cv",), "budget": "quick"}, "got 'quick'"),
    ],
)
def test_polycrystals_refuse_names_that_contradict(how: dict[str, Any], word: str, grains: Target) -> None:
    with pytest.raises(InvalidParameter, match=word):
        fit(Polycrystal(), grains, seed=0, **{"budget": 4, **how})
