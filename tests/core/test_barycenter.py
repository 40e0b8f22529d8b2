"""Barycenters whose answer is known: of one volume, of moved ones, with all the weight on one."""

from __future__ import annotations

import numpy as np
import pytest

from microgen.core.barycenter import Barycenter, barycenter
from microgen.errors import InvalidParameter, NotConverged


def blob(shape: tuple[int, ...], middle: tuple[float, ...], sigma: float) -> np.ndarray:
    index = np.indices(shape)
    away = sum((i - m) ** 2 for i, m in zip(index, middle))
    return np.exp(-away / (2 * sigma**2))


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the mass on other voxels."""
    return float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)


@pytest.mark.parametrize(("middles", "weights"), [((10, 18), (0.5, 0.5)), ((8, 20), (0.25, 0.75))])
def test_moved_gaussians_have_the_gaussian_in_between(middles, weights) -> None:
    shape, sigma = (28, 20, 16), 2.5
    volumes = [blob(shape, (m, 9.5, 7.5), sigma) for m in middles]
    found = barycenter(volumes, weights=weights, tolerance=1e-3)
    at = float(np.dot(middles, weights))
    assert apart(found.density, blob(shape, (at, 9.5, 7.5), sigma)) < 0.02
    blurred = barycenter(volumes, weights=weights, tolerance=1e-3, debiased=False)
    assert apart(blurred.density, blob(shape, (at, 9.5, 7.5), sigma)) > 0.1  # what debiasing is for


def test_two_balls_have_the_ball_in_between() -> None:
    shape = (40, 24, 24)
    balls = [sum((i - m) ** 2 for i, m in zip(np.indices(shape), (x, 11.5, 11.5))) < 49 for x in (12, 26)]
    middle = np.roll(balls[0], 7, axis=0)
    solid = barycenter(balls).solid(float(middle.mean()))
    assert solid.sum() == middle.sum()
    assert (solid & middle).sum() / (solid | middle).sum() > 0.9


def test_equal_volumes_and_all_the_weight_on_one_give_it_back() -> None:
    rng = np.random.default_rng(0)
    volume, other = (sum(blob((24, 20), tuple(rng.random(2) * 20), 2.0) for _ in range(4)) for _ in range(2))
    assert isinstance(volume, np.ndarray)
    assert apart(barycenter([volume, volume], tolerance=1e-3).density, volume) < 0.01
    assert apart(barycenter([volume, other], weights=(1, 0), tolerance=1e-3).density, volume) < 0.02


def test_mass_goes_the_shorter_way_around_a_periodic_box() -> None:
    volumes = [blob((32, 8), (x, 3.5), 1.5) for x in (4, 26)]
    found = barycenter(volumes, periodic=(True, False), tolerance=1e-3).density
    assert int(found.sum(1).argmax()) in (30, 31)  # 31, in the middle of 26 and 36
    assert int(barycenter(volumes, tolerance=1e-3).density.sum(1).argmax()) == 15


def test_a_run_that_stops_early_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microgen.core.barycenter.MOST", 3)
    volumes = [blob((32, 8), (x, 3.5), 1.5) for x in (4, 26)]
    with pytest.raises(NotConverged, match="misplaced") as caught:
        barycenter(volumes, tolerance=1e-6)
    assert isinstance(caught.value.best, Barycenter)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"volumes": []}, "volumes"),
        ({"volumes": [np.ones((8, 8)), np.ones((8, 9))]}, "volumes"),
        ({"volumes": [np.zeros((8, 8))]}, "volumes"),
        ({"volumes": [np.full((8, 8), np.nan)]}, "volumes"),
        ({"weights": (1.0,)}, "weights"),
        ({"weights": (1.0, -1.0)}, "weights"),
        ({"spacing": (1.0, 0.0)}, "spacing, periodic"),
        ({"blur": 0.1}, "blur"),
    ],
)
def test_what_has_no_barycenter_is_refused(change: dict, name: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        barycenter(**{"volumes": [np.ones((8, 8))] * 2, **change})
    assert caught.value.name == name
