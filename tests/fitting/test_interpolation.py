"""The way between two polycrystals: its ends, its volumes, its pairs, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from microgen import AspectRatioLaw, Grid, Microstructure, Phase, Polycrystal, SizeLaw, interpolate, reconstruct
from microgen.descriptors.grain_cloud import grain_cloud
from microgen.errors import InvalidParameter, NoGrains, NotConverged
from microgen.fitting import matching
from microgen.orientation import misorientation_angle, random_orientations, slerp

GRID = Grid((64, 64), (1.0, 1.0), periodic=(True, True))


def sample(grains: int, seed: int, grid: Grid = GRID, **laws: Any) -> Microstructure:
    return Polycrystal(grains, **laws).sample(grid, seed=seed)


@pytest.fixture(scope="module")
def ends() -> tuple[Microstructure, Microstructure]:
    return sample(12, 0), sample(12, 1, size=SizeLaw(cv=0.5), aspect_ratio=AspectRatioLaw(mean=2.0))


def shares(ms: Microstructure) -> np.ndarray:
    assert ms.grain_id is not None
    return np.bincount(ms.grain_id.ravel())[1:] / ms.grid.size


def test_the_ends_are_the_inputs_and_volumes_are_met_in_between(ends) -> None:
    a, b = ends
    path = interpolate(a, b)
    first, *middle, last = path.steps(4)
    assert np.array_equal(first.grain_id, a.grain_id)  # type: ignore[arg-type]
    assert np.array_equal(last.grain_id, b.grain_id)  # type: ignore[arg-type]
    pairs = path.matching
    for t, ms in zip((1 / 3, 2 / 3), middle):
        wanted = shares(a)[pairs.first] ** (1 - t) * shares(b)[pairs.second] ** t
        wanted /= wanted.sum()
        large = wanted * ms.grid.size >= 400
        assert ms.provenance is not None
        assert ms.provenance.achieved["status"] == "converged"
        assert np.abs(shares(ms) / wanted - 1)[large].max(initial=0) <= 0.01
        assert np.array_equal(path.identity(t), np.arange(1, 13))


def test_from_a_sample_to_itself_nothing_moves(ends) -> None:
    path = interpolate(ends[0], ends[0])
    assert path.distance == pytest.approx(0, abs=1e-9)
    half = path.at(0.5)
    assert np.mean(half.grain_id != ends[0].grain_id) < 0.01
    assert half.grains is not None
    assert ends[0].grains is not None
    assert half.grains.orientation == pytest.approx(ends[0].grains.orientation)


def test_grains_go_the_shortest_way_around_the_box(ends) -> None:
    a, _ = ends
    assert a.grain_id is not None
    assert a.grains is not None
    assert a.grains.sites is not None
    moved = replace(
        a,
        grain_id=np.roll(a.grain_id, 4, axis=0),
        grains=replace(a.grains, sites=(a.grains.sites + np.array([4.0, 0.0])) % 64),
    )
    path = interpolate(a, moved)
    assert np.array_equal(path.matching.second, np.arange(12))
    half = path.at(0.5).grain_id
    assert np.mean(half != np.roll(a.grain_id, 2, axis=0)) < 0.01
    assert path.distance == pytest.approx(4 / np.sqrt(64 * 64 / 12))


@pytest.mark.parametrize(("n", "m"), [(12, 9), (9, 12)])
def test_grains_without_a_partner_die_or_are_born(n: int, m: int) -> None:
    path = interpolate(sample(n, 0), sample(m, 1))
    assert (len(path.deaths), len(path.births)) == (max(n - m, 0), max(m - n, 0))
    half = path.at(0.5)
    alone = path.identity(0.5)
    there = np.isin(alone, path.deaths) if n > m else alone > n
    assert there.sum() == 3
    side, ids = (path.a, path.deaths) if n > m else (path.b, path.births)
    assert half.grains is not None
    assert half.grains.volume_target is not None
    shrunk = half.grains.volume_target[there] / half.grid.size / shares(side)[ids - 1]
    assert np.ptp(shrunk) < 1e-9  # all half, but for the volumes of the pairs, which are scaled alike
    assert 0.4 < shrunk[0] < 0.7
    late = path.at(0.999 if n > m else 0.001)
    assert late.grains is not None
    assert len(late.grains) == 9


def test_volumes_of_several_phases_pair_within_their_phase() -> None:
    grid = Grid((20, 20, 20), (1.0,) * 3, periodic=(True, True, False))
    rng = np.random.default_rng(0)
    parts = []
    for seed in (0, 1):
        ms = sample(16, seed, grid)
        assert ms.grains is not None
        phase = rng.permutation(np.arange(16) % 2).astype(np.int16)
        names = (Phase("iron"), Phase("slag", "6/mmm"))[:: 1 if seed == 0 else -1]
        grains = replace(ms.grains, phase_id=phase)
        parts.append(replace(ms, grains=grains, phases=names, phase_id=phase[ms.grain_id - 1]))  # type: ignore[operator]
    path = interpolate(*parts)
    a, b = parts
    pairs = path.matching
    assert all(a.grains.phase_id[i] == 1 - b.grains.phase_id[j] for i, j in zip(pairs.first, pairs.second))
    half, end = path.at(0.5), path.at(1)
    assert np.array_equal(half.grains.phase_id, a.grains.phase_id)  # type: ignore[union-attr]
    assert np.array_equal(end.grains.phase_id, 1 - b.grains.phase_id)  # type: ignore[union-attr]
    with pytest.raises(InvalidParameter, match="same phases"):
        interpolate(a, sample(16, 1, grid))


def test_boxes_and_voxels_may_differ_and_maps_get_a_diagram_first(ends) -> None:
    labels = (np.indices((40, 30)) // 10 * np.array([3, 1])[:, None, None]).sum(0) + 1
    grid = Grid((40, 30), (2.0, 2.0), origin=(5.0, 5.0))
    plain = Microstructure(grid, np.zeros((40, 30), np.int16), (Phase("x"),), labels.astype(np.int32))
    with pytest.raises(InvalidParameter, match="reconstruct"):
        interpolate(ends[0], plain)
    other = sample(10, 3, Grid((50, 50), (1.0, 1.0)))
    path = interpolate(reconstruct(plain).render(), other, shape=(60, 60))
    half = path.at(0.5)
    assert half.grid.lengths == pytest.approx((np.sqrt(80 * 50), np.sqrt(60 * 50)))
    assert half.grid.shape == (60, 60)
    finer = labels[np.ix_(np.arange(60) * 40 // 60, np.arange(60) * 30 // 60)]
    assert np.mean(path.at(0).grain_id != finer) < 0.1


def test_many_grains_pair_as_the_full_matrix_would(monkeypatch: pytest.MonkeyPatch) -> None:
    clouds = [grain_cloud(sample(40, seed)) for seed in (0, 1)]
    exact = matching.match(*clouds)
    monkeypatch.setattr(matching, "PAIRS", 10)
    few = matching.match(*clouds)
    assert few.cost == pytest.approx(exact.cost, rel=1e-6)
    assert np.array_equal(np.sort(few.second), np.arange(40))
    cost = matching.costs(*clouds, scale=clouds[0].spacing)
    assert exact.cost == pytest.approx(cost[linear_sum_assignment(cost)].mean())


def test_orientations_turn_the_shortest_way_to_an_equivalent() -> None:
    a, b = random_orientations(50, np.random.default_rng(0)), random_orientations(50, np.random.default_rng(1))
    whole = misorientation_angle(a, b, "m-3m")
    for t in (0.0, 0.3, 1.0):
        q = slerp(a, b, t, "m-3m")
        assert misorientation_angle(a, q, "m-3m") == pytest.approx(t * whole, abs=1e-7)
        assert misorientation_angle(q, b, "m-3m") == pytest.approx((1 - t) * whole, abs=1e-7)


@pytest.mark.parametrize("t", [-0.1, 1.1, np.nan, "half", None])
def test_t_outside_the_way_is_refused(t, ends) -> None:
    with pytest.raises(InvalidParameter, match="t: expected a number from 0 to 1"):
        interpolate(*ends).at(t)


def test_volumes_that_are_missed_are_an_error_with_the_best(ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microgen.generators.solve.REPEATS", 1)
    with pytest.raises(NotConverged, match="t = 0.5") as caught:
        interpolate(*ends, shape=(9, 9), tolerance=1e-7).at(0.5)
    assert isinstance(caught.value.best, Microstructure)


def test_other_bad_input_is_refused(ends) -> None:
    a, b = ends
    cube = sample(8, 0, Grid((12, 12, 12), (1.0,) * 3))
    walled = sample(12, 0, replace(GRID, periodic=(True, False)))
    for other, name in ((cube, "two planes or two volumes"), (walled, "same axes")):
        with pytest.raises(InvalidParameter, match=name):
            interpolate(a, other)
    with pytest.raises(InvalidParameter, match="steps"):
        list(interpolate(a, b).steps(1))
    with pytest.raises(InvalidParameter, match="shape"):
        interpolate(a, b, shape=(8, 8, 8))
    with pytest.raises(InvalidParameter, match="tolerance"):
        interpolate(a, b, tolerance=0)
    assert b.grains is not None
    assert b.grains.metrics is not None
    broken = (("metrics", -b.grains.metrics), ("weights", np.full(12, np.nan)))
    for wrong in (replace(b, grains=replace(b.grains, **{name: array})) for name, array in broken):
        with pytest.raises(InvalidParameter, match="positive definite"):
            interpolate(a, wrong)
    with pytest.raises(NoGrains):
        interpolate(a, replace(b, grain_id=np.zeros_like(b.grain_id)))
    with pytest.raises(InvalidParameter, match="symmetry"):
        interpolate(a, replace(b, phases=(Phase("material", "6/mmm"),)))


def test_one_grain_is_the_whole_box() -> None:
    half = interpolate(sample(1, 0), sample(1, 1)).at(0.5)
    assert (half.grain_id == 1).all()


def test_between_fitted_diagrams_volumes_are_met_too() -> None:
    """Their metrics only part points: taken as they are, grains are lost on the way between these two."""
    grid, maps = Grid((72, 60), (0.5, 0.5)), []
    for seed in (0, 10):
        try:
            made = sample(60, seed, grid, aspect_ratio=AspectRatioLaw(mean=3.0), size=SizeLaw(cv=0.3))
        except NotConverged as error:  # what matters here is a map of grains
            made = cast(Microstructure, error.best)
        maps.append(replace(made, grains=None))
    half = interpolate(*(reconstruct(ms).render() for ms in maps)).at(0.5)
    assert half.provenance is not None
    assert half.provenance.achieved["status"] == "converged"
    assert shares(half).min() > 0
