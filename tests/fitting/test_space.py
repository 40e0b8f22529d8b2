"""Ranges of parameters as a unit cube."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from microgen.errors import InvalidParameter
from microgen.fitting.space import Parameter, Space

SPACE = Space((Parameter("mass", -0.9, 0.1), Parameter("dx", 0.01, 0.04, log=True)))


@given(st.floats(0, 1), st.floats(0, 1))
def test_points_and_values_are_inverse_to_each_other(a: float, b: float) -> None:
    again = SPACE.unit(SPACE.values((a, b)))
    assert again == pytest.approx([a, b], abs=1e-4)


def test_a_scale_is_searched_in_its_logarithm() -> None:
    assert SPACE.values((0.5, 0.5)) == {"mass": -0.4, "dx": 0.02}
    assert SPACE.values((-1, 2)) == {"mass": -0.9, "dx": 0.04}


def test_only_some_of_the_parameters() -> None:
    assert SPACE.only(["dx"]).names == ("dx",)
    with pytest.raises(InvalidParameter, match="free"):
        SPACE.only(["dz"])


@pytest.mark.parametrize(("low", "high", "log"), [(1, 1, False), (2, 1, False), (0, 1, True), (0, math.inf, False)])
def test_ranges_that_are_none_are_refused(low: float, high: float, log: bool) -> None:
    with pytest.raises(InvalidParameter, match="size.cv"):
        Parameter("size.cv", low, high, log)
