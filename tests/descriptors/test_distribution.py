"""Weighted means, deviations, quantiles and the lognormal fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from microgen.descriptors.distribution import Distribution, Lognormal, fit_lognormal
from microgen.errors import InvalidParameter


def test_weighted_moments() -> None:
    d = Distribution(np.array([1.0, 2.0, 6.0]), np.array([2.0, 1.0, 1.0]))
    assert d.mean == pytest.approx(2.5)
    assert d.sd == pytest.approx(np.sqrt((2 * 1.5**2 + 0.5**2 + 3.5**2) / 4))
    assert d.cv == pytest.approx(d.sd / 2.5)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_integer_weights_are_repeated_values(weights: list[int]) -> None:
    values = np.arange(len(weights)) ** 2 + 1.0
    weighted, repeated = Distribution(values, np.array(weights)), Distribution(np.repeat(values, weights))
    for p in (0.0, 0.2, 0.5, 0.9, 1.0):
        assert weighted.quantile(p) == repeated.quantile(p)
    assert weighted.sd == pytest.approx(repeated.sd, abs=1e-12)


def test_quantiles_are_values() -> None:
    d = Distribution(np.array([3.0, 1.0, 2.0]))
    assert [d.quantile(p) for p in (0, 1 / 3, 0.34, 2 / 3, 1)] == [1, 1, 2, 2, 3]


def test_nothing_has_no_mean() -> None:
    empty = Distribution(np.zeros(0))
    assert np.isnan([empty.mean, empty.sd, empty.cv, empty.quantile(0.5)]).all()


def test_take_keeps_weights_and_grains() -> None:
    d = Distribution(np.array([1.0, 2, 3]), np.array([3.0, 2, 1]), "µm", "x", grain_id=np.array([4, 5, 6]))
    some = d.take(np.array([2, 2, 0]))
    assert some.values.tolist() == [3, 3, 1]
    assert some.weights is not None
    assert some.weights.tolist() == [1, 1, 3]
    assert some.grain_id is not None
    assert some.grain_id.tolist() == [6, 6, 4]
    assert (some.unit, some.name) == ("µm", "x")


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, np.nan]])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(InvalidParameter, match="weights"):
        Distribution(np.array([1.0, 2.0]), np.array(weights))


def test_values_are_finite() -> None:
    with pytest.raises(InvalidParameter, match="values"):
        Distribution(np.array([1.0, np.inf]))


def test_lognormal_is_recovered() -> None:
    x = np.random.default_rng(0).lognormal(np.log(3.0), 0.4, 200_000)
    fit = fit_lognormal(Distribution(x))
    assert fit.median == pytest.approx(3.0, rel=0.01)
    assert fit.sigma == pytest.approx(0.4, rel=0.01)
    assert fit.mean == pytest.approx(x.mean(), rel=0.01)
    assert fit.cv == pytest.approx(x.std() / x.mean(), rel=0.02)


def test_lognormal_of_one_size_has_no_width() -> None:
    assert fit_lognormal(Distribution(np.full(4, 2.0))).cv == pytest.approx(0, abs=1e-12)
    assert Lognormal(1.0, 0.0).mean == 1.0


@pytest.mark.parametrize("values", [[], [1.0, 0.0]])
def test_lognormal_needs_positive_values(values: list[float]) -> None:
    with pytest.raises(InvalidParameter):
        fit_lognormal(Distribution(np.array(values)))
