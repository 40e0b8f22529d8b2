"""Descriptors of a volume of which only a part was measured: the rest is neither solid nor void."""

from __future__ import annotations

import numpy as np
import pytest

from microgen import Grid, Microstructure, describe
from microgen.descriptors.describe import LEFT_OUT
from microgen.descriptors.surface import specific_surface

N, R = 40, 18.0
X = np.indices((N, N, N)) - (N - 1) / 2
BALL = np.linalg.norm(X, axis=0) < R


def halves(*, level_set: bool) -> Microstructure:
    """A ball of which the half x < 0.3 is solid, in a box."""
    u = np.where(BALL, 0.3 - X[0], -1.0)
    grid = Grid((N,) * 3, (1.0,) * 3)
    return Microstructure(grid, np.where(u > 0, 0, -1), level_set=u if level_set else None, measured=BALL)


@pytest.mark.parametrize("level_set", [True, False])
def test_surface_per_volume_is_that_of_the_part(level_set: bool) -> None:
    """A disc of radius R in a ball of radius R: 3 / (4 R). Crofton's formula is off by up to 7 % for a plane."""
    assert specific_surface(halves(level_set=level_set)) == pytest.approx(3 / (4 * R), rel=0.06)


def test_nothing_outside_counts() -> None:
    found = describe(halves(level_set=True))
    assert found["volume_fraction"] == pytest.approx(0.5, abs=0.02)
    assert (found["components"], found["euler_number"]) == (1, 1)
    assert found["separation"].values.max() == pytest.approx(R, abs=1.5)
    assert found["thickness"].mean == pytest.approx(found["separation"].mean, rel=0.1)
    assert not [name for name in found if name.startswith(LEFT_OUT)]
