"""The law of random polynomials: one scale, bounded below, and each draw on its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgen import Curvatubes, CurvaturePrior
from microgen.errors import InvalidParameter

DRAWS = [CurvaturePrior().draw(k, seed=0) for k in range(400)]


def test_a_draw_depends_on_its_seed_and_number_alone() -> None:
    assert CurvaturePrior().draw(7, seed=0) == DRAWS[7]
    assert CurvaturePrior().draw(7, seed=1) != DRAWS[7]
    assert len({draw.seed for draw in DRAWS}) == 400


def test_every_polynomial_has_a_least_value_and_is_in_its_bounds() -> None:
    assert all(math.isfinite(draw.coefficients.least) for draw in DRAWS)
    assert all(-0.8 <= draw.mass <= -0.2 and -2 <= draw.kg <= 6 for draw in DRAWS)
    stiff = np.array([(draw.s, draw.t) for draw in DRAWS])
    assert ((stiff == 0) | ((stiff >= 0.1) & (stiff <= 10))).all()
    assert 0.1 < (stiff == 0).mean() < 0.35


def test_the_polynomial_is_the_reduced_form() -> None:
    k1, k2 = 11.0, -3.0
    for draw in DRAWS[:50]:
        a20, a11, a02, b10, b01, c = draw.coefficients.values
        full = a20 * k1**2 + a11 * k1 * k2 + a02 * k2**2 + b10 * k1 + b01 * k2 + c
        reduced = draw.h2 * (k1 + k2 - draw.H0) ** 2 + draw.kg * k1 * k2
        assert full == pytest.approx(reduced + draw.s * (k1 - draw.p) ** 2 + draw.t * (k2 - draw.q) ** 2)


def test_without_frustration_all_terms_agree_on_one_pair_of_fixed_length() -> None:
    draws = [CurvaturePrior(curvature=10, frustration=0, absent=0).draw(k, seed=5) for k in range(50)]
    for draw in draws:
        assert math.hypot(draw.p, draw.q) == pytest.approx(10)
        assert pytest.approx(draw.p + draw.q) == draw.H0
        assert draw.p >= draw.q
    assert len({round(draw.p, 6) for draw in draws}) == 50


def test_another_curvature_is_another_scale_of_the_same_draw() -> None:
    one, half = CurvaturePrior(curvature=20).draw(3, seed=2), CurvaturePrior(curvature=10).draw(3, seed=2)
    assert half.coefficients.values == pytest.approx(one.coefficients.scaled(2.0).values)
    assert Curvatubes(half.coefficients, half.mass).mass == one.mass


@pytest.mark.parametrize(
    "wrong",
    [{"curvature": 0}, {"stiffness": (0, 1)}, {"mass": (-1, 0)}, {"gauss": (1, 2)}, {"absent": 2}, {"mass": (0, -0.5)}],
)
def test_impossible_laws_are_refused(wrong: dict) -> None:
    with pytest.raises(InvalidParameter, match=f"prior.{next(iter(wrong))}"):
        CurvaturePrior(**wrong)
