"""The laws: moments with exact answers, and every parameter that must be refused."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from microgen.errors import InvalidParameter
from microgen.generators.laws import AspectRatioLaw, Fabric, PhaseLaw, SizeLaw, Texture, strata


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("cv", [0.0, 0.35, 1.0])
def test_lognormal_diameters_have_their_mean_and_cv(cv: float) -> None:
    d = SizeLaw(cv=cv).relative(strata(200_000, rng()))
    assert d.mean() == pytest.approx(1, rel=2e-3)
    assert d.std() / d.mean() == pytest.approx(cv, rel=1e-2, abs=1e-12)


@pytest.mark.parametrize("law", [SizeLaw(cv=0.4), SizeLaw("measured", quantiles=(1.0, 2.0, 2.5, 6.0))])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_moments_of_the_size_law_are_those_of_its_draws(law: SizeLaw, k: int) -> None:
    assert (law.relative(strata(200_000, rng())) ** k).mean() == pytest.approx(law.relative_moment(k), rel=5e-3)


def test_measured_quantiles_carry_their_own_mean_unless_one_is_given() -> None:
    assert SizeLaw("measured", quantiles=(2.0, 2.0)).resolved_mean == pytest.approx(2.0)
    assert SizeLaw("measured", mean=5.0, quantiles=(2.0, 2.0)).resolved_mean == 5.0
    assert SizeLaw().resolved_mean is None


def test_aspect_ratios_have_their_mean_and_cv_and_are_never_below_one() -> None:
    a = AspectRatioLaw(1.8, 0.3).at(strata(200_000, rng()))
    assert a.min() >= 1
    assert a.mean() == pytest.approx(1.8, rel=1e-3)
    assert a.std() / a.mean() == pytest.approx(0.3, rel=2e-2)


@pytest.mark.parametrize(("ndim", "mean"), [(2, 1 / 2), (3, 1 / 3)])
def test_isotropic_directions_have_an_isotropic_second_moment(ndim: int, mean: float) -> None:
    u = Fabric().directions(20_000, ndim, rng())
    assert np.linalg.norm(u, axis=1) == pytest.approx(1)
    assert u.T @ u / len(u) == pytest.approx(mean * np.eye(ndim), abs=0.01)


@pytest.mark.parametrize("k", [-20.0, -1.0, 2.0, 50.0])
def test_watson_directions_have_the_second_moment_of_the_density(k: float) -> None:
    t = np.linspace(0, 1, 100_001)
    density = np.exp(k * t**2 - max(k, 0))
    u = Fabric((0.0, 0.0, 2.0), k).directions(20_000, 3, rng())
    assert (u[:, 2] ** 2).mean() == pytest.approx((t**2 * density).sum() / density.sum(), abs=0.005)
    assert (u[:, 0] ** 2).mean() == pytest.approx((u[:, 1] ** 2).mean(), abs=0.01)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SizeLaw(cv=-0.1),
        lambda: SizeLaw(cv=math.nan),
        lambda: SizeLaw(mean=0.0),
        lambda: SizeLaw(mean=math.inf),
        lambda: SizeLaw("gamma"),  # type: ignore[arg-type]
        lambda: SizeLaw("measured"),
        lambda: SizeLaw("measured", quantiles=(2.0, 1.0)),
        lambda: SizeLaw("measured", quantiles=(-1.0, 1.0)),
        lambda: AspectRatioLaw(0.9),
        lambda: AspectRatioLaw(1.0, 0.2),
        lambda: Fabric((0.0, 0.0, 0.0)),
        lambda: Fabric(concentration=math.nan),
        lambda: PhaseLaw("a", 0.0),
        lambda: PhaseLaw("", 0.5),
        lambda: PhaseLaw("a", laue_group="cubic"),
        lambda: PhaseLaw("a", size_factor=0.0),
        lambda: Texture("measured"),
        lambda: Texture(kernel=-1.0),
        lambda: Texture("measured", orientations=(np.ones((3, 4)),)),
        lambda: Texture("measured", orientations=(np.eye(4),), weights=(np.ones(3),)),
    ],
)
def test_impossible_laws_are_refused(make) -> None:
    with pytest.raises(InvalidParameter):
        make()


def test_textures_are_equal_by_value_and_travel_to_other_processes() -> None:
    texture = Texture("measured", orientations=(np.eye(4), np.zeros((0, 4))))
    assert pickle.loads(pickle.dumps(texture)) == texture
    assert texture != Texture("measured", orientations=(np.eye(4)[:3], np.zeros((0, 4))))


def test_orientations_read_again_are_the_same_to_the_last_bit() -> None:
    q = np.random.default_rng(0).standard_normal((500, 4))
    once = Texture("measured", orientations=(q / np.linalg.norm(q, axis=1, keepdims=True),)).orientations[0]
    again = Texture("measured", orientations=(once.tolist(),)).orientations[0]
    assert np.array_equal(once, again)
