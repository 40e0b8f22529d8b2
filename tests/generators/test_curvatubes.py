"""Curvatubes: coefficients, presets, refusals, and small samples."""

from __future__ import annotations

import json

import numpy as np
import pytest

from microgen import Curvatubes, Grid
from microgen.core.flow import Schedule, flow
from microgen.errors import EnvironmentProblem, InvalidParameter, NotConverged
from microgen.generators.curvatubes import Coefficients, Graded
from microgen.generators.curvature_presets import PRESETS
from microgen.meshing import Clip

GRID = Grid((24, 24, 24), (5.0,) * 3, periodic=(True,) * 3)


def polynomial(a: Coefficients, k1: float, k2: float) -> float:
    return a.a20 * k1**2 + a.a11 * k1 * k2 + a.a02 * k2**2 + a.b10 * k1 + a.b01 * k2 + a.c


def test_reduced_coefficients_are_those_of_the_published_sponge() -> None:
    found = Coefficients.reduced(h2=1, H0=5, kg=0.8, t=1)
    assert found == Coefficients(1, 2.8, 2, -10, -10, 25)


@pytest.mark.parametrize(("k1", "k2"), [(3.0, -1.0), (0.5, 0.5)])
def test_reduced_form_is_the_polynomial(k1: float, k2: float) -> None:
    a = Coefficients.reduced(1.5, 4.0, 0.3, 2.0, 5.0, 0.7, -1.0)
    expected = 1.5 * (k1 + k2 - 4) ** 2 + 0.3 * k1 * k2 + 2 * (k1 - 5) ** 2 + 0.7 * (k2 + 1) ** 2
    assert polynomial(a, k1, k2) == pytest.approx(expected)


def test_scale_factors_out() -> None:
    a = Coefficients()
    assert polynomial(a.scaled(2.0), 3.5, -1.5) == pytest.approx(polynomial(a, 7.0, -3.0) / 4)


@pytest.mark.parametrize("seed", range(6))
def test_the_least_of_a_polynomial_is_the_least_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = Coefficients(*rng.uniform(0.5, 3, 2), rng.uniform(2, 4), *rng.uniform(-20, 20, 2), 5.0)
    k1, k2 = np.meshgrid(*[np.linspace(-60, 60, 1201)] * 2, indexing="ij")
    assert a.least == pytest.approx(np.where(k1 >= k2, polynomial(a, k1, k2), np.inf).min(), rel=2e-3, abs=2e-2)


@pytest.mark.parametrize(
    ("values", "least"),
    [
        (PRESETS["spheres"].coefficients, 0.0),
        ((1, 2, 1, 0, 0, 3), 3.0),
        ((1, 2, 1, -4, -4, 3), -1.0),
        ((1, 2, 1, 1, 0, 3), -np.inf),
        (PRESETS["pearls"].coefficients, -np.inf),
        ((0, 0, 0, 0, 0, -2), -2.0),
    ],
)
def test_polynomials_below_zero_are_known(values: tuple[float, ...], least: float) -> None:
    assert Coefficients(*values).least == pytest.approx(least, abs=1e-9)
    assert Coefficients(*values).bounded_below == (least >= 0)


@pytest.mark.parametrize("power", [100, -100])
def test_a_common_factor_however_large_changes_nothing(power: int) -> None:
    grid, factor = Grid((24, 24), (5.0,) * 2), 2.0**power
    plain = Curvatubes(mass=-0.3).sample(grid, seed=1)
    other = Curvatubes(Coefficients(*(a * factor for a in Coefficients().values)), mass=-0.3).sample(grid, seed=1)
    assert plain.provenance is not None
    assert other.provenance is not None
    np.testing.assert_allclose(plain.level_set, other.level_set, atol=1e-2)
    assert other.provenance.achieved["energy"] / factor == pytest.approx(plain.provenance.achieved["energy"], rel=1e-2)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_what_they_are_and_can_be_made(name: str) -> None:
    assert PRESETS[name].looks
    assert PRESETS[name].source
    Curvatubes.preset(name).check(Grid((32,) * 3, (20.0,) * 3), seed=0)


def test_an_unknown_preset_is_refused_with_the_list() -> None:
    with pytest.raises(InvalidParameter, match="trabecular-bone"):
        Curvatubes.preset("bone")


@pytest.mark.parametrize(
    "changes",
    [{"mass": 1.0}, {"mass": float("nan")}, {"eps": 0.0149}, {"dx": 0.0}, {"orientation": (0.0, 0.0, 0.0)}],
)
def test_bad_parameters_are_refused(changes: dict) -> None:
    with pytest.raises(InvalidParameter, match=next(iter(changes)).split("_")[0]):
        Curvatubes(**changes)


@pytest.mark.parametrize("values", [(-1, 2, 6, 0, 0, 0), (1, 2, -6, 0, 0, 0), (0,) * 6, (float("inf"), 0, 1, 0, 0, 0)])
def test_bad_coefficients_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(InvalidParameter, match="coefficients"):
        Coefficients(*values)


def test_fewer_than_six_coefficients_are_not_filled_up() -> None:
    with pytest.raises(InvalidParameter, match="six numbers"):
        Curvatubes((1.0, 2.0), -0.5)  # type: ignore[arg-type]


def test_a_box_too_small_for_eps_is_refused_with_the_size_it_needs() -> None:
    with pytest.raises(InvalidParameter, match="at least 20 x 20 x 20 voxels"):
        Curvatubes().sample(Grid((19, 40, 40), (5.0,) * 3), seed=0)


def test_a_box_beyond_the_memory_is_refused_before_it_starts() -> None:
    with pytest.raises(EnvironmentProblem, match="GiB"):
        Curvatubes().sample(Grid((20000,) * 3, (5.0,) * 3), seed=0)


def test_sample_is_solid_where_u_is_positive_and_says_how_it_was_made() -> None:
    sample = Curvatubes(mass=-0.4).sample(GRID, seed=1)
    made = sample.provenance
    assert made is not None
    assert sample.level_set is not None
    assert np.array_equal(sample.phase_id == 0, sample.level_set > 0)
    assert made.achieved["mass_error"] < 1e-6
    assert made.achieved["volume_fraction"] == pytest.approx((sample.phase_id == 0).mean())
    assert made.achieved["status"] == "converged"


def test_configuration_survives_json() -> None:
    sets = (TUBES, SPONGE)
    made = Curvatubes(graded=Graded(sets, (-0.6, -0.25)), orientation=(0.0, 0.0, 1.0), orientation_weight=10.0)
    assert Curvatubes.from_configuration(json.loads(json.dumps(made.configuration()))) == made


def test_graded_weights_are_bilinear() -> None:
    sets = (Coefficients(),) * 4
    weights = Graded(sets, (-0.6, -0.5, -0.4, -0.3), axes=(0, 2)).weights((3, 2, 5))
    np.testing.assert_allclose(weights.sum(0), 1)
    np.testing.assert_allclose(weights[:, 0, 0, 0], [1, 0, 0, 0])
    np.testing.assert_allclose(weights[:, 2, 1, 0], [0, 1, 0, 0])
    np.testing.assert_allclose(weights[:, 1, 0, 2], 0.25)


def test_graded_sample_follows_its_masses() -> None:
    sets = (SPONGE, TUBES)
    sample = Curvatubes(graded=Graded(sets, (-0.25, -0.6))).sample(Grid((48, 24, 24), (5.0,) * 3), seed=2)
    assert sample.level_set is not None
    assert sample.level_set[:16].mean() > sample.level_set[-16:].mean() + 0.2


SPONGE, TUBES = Coefficients(1, 2.8, 2, -10, -10, 25), Coefficients()


def test_between_two_sets_half_way_is_half_way_in_the_curvature_that_is_preferred() -> None:
    stiff = Coefficients.reduced(0, 0, 0, s=50.0, p=30.0, t=50.0, q=30.0)
    soft = Coefficients.reduced(0, 0, 0, s=1.0, p=10.0, t=1.0, q=10.0)
    (a20, _, _, b10, _, _), _, _ = Graded((stiff, soft), (-0.5, -0.5)).fields((5, 2), eps=0.02)
    np.testing.assert_allclose((-b10 / (2 * a20))[:, 0], [30, 25, 20, 15, 10])
    np.testing.assert_allclose(a20, 50)


@pytest.mark.parametrize("factors", [(1, 10), (10, 1), (0.3, 7e5)])
def test_a_multiple_of_a_set_gives_the_same_graded_texture(factors: tuple[float, float]) -> None:
    grid, masses = Grid((64, 32), (5.0,) * 2), (-0.4, -0.4)
    scaled = tuple(c.times(f) for c, f in zip((SPONGE, TUBES), factors))
    one = Curvatubes(graded=Graded((SPONGE, TUBES), masses)).sample(grid, seed=2)
    other = Curvatubes(graded=Graded(scaled, masses)).sample(grid, seed=2)
    assert np.array_equal(one.level_set, other.level_set)
    assert one.provenance is not None
    assert one.provenance.configuration["graded"]["brought_to_stiffness"] == 3
    assert one.provenance.configuration["graded"]["alike"][1]["c"] == pytest.approx(400 * 3 / 7)
    assert Curvatubes.from_configuration(one.provenance.configuration).graded == Graded((SPONGE, TUBES), masses)


def test_sets_of_one_stiffness_and_sets_with_none_stay_as_they_are() -> None:
    for sets in ((SPONGE, Coefficients(2, 2, 1, 3, 4, 5)), (TUBES, Coefficients(0, 0, 0, 0, 0, 1))):
        assert Graded(sets, (-0.6, -0.6)).alike is sets


def test_members_do_not_depend_on_which_are_asked_for() -> None:
    all_of_them = list(Curvatubes(mass=-0.4).samples(Grid((20, 20), (5.0,) * 2), 2, seed=5, workers=1))
    (second,) = Curvatubes(mass=-0.4).samples(Grid((20, 20), (5.0,) * 2), 2, seed=5, workers=1, members=[1])
    assert np.array_equal(second.phase_id, all_of_them[1].phase_id)


def test_a_flow_that_was_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(flow.__kwdefaults__, "schedule", Schedule(least=40, most=150, decay=20))
    (sample,) = Curvatubes(mass=-0.4).samples(Grid((20, 20), (5.0,) * 2), 1, seed=5, workers=1)
    assert sample.provenance is not None
    assert sample.provenance.achieved["status"] == "capped"
    assert sample.provenance.achieved["iterations"] == 170


def test_a_texture_that_never_forms_is_reported_with_the_field() -> None:
    with pytest.raises(NotConverged, match="no texture") as caught:
        Curvatubes(mass=-0.97).sample(GRID, seed=0)
    assert caught.value.best is not None


BALL = np.linalg.norm(np.indices((24, 24, 24)) - 11.5, axis=0) < 11


def test_a_mask_of_voxels_keeps_u_inside_and_nothing_outside() -> None:
    sample = Curvatubes(mass=-0.4).sample(GRID, seed=1, mask=BALL)
    assert sample.level_set is not None
    assert sample.provenance is not None
    assert sample.level_set[BALL].mean(dtype=float) == pytest.approx(-0.4, abs=1e-6)
    assert (sample.level_set[~BALL] < 0).all()
    assert (sample.phase_id[~BALL] == -1).all()
    assert np.array_equal(sample.measured, BALL)
    fraction = sample.provenance.achieved["volume_fraction"]
    assert fraction == pytest.approx((sample.level_set[BALL] > 0).mean())


@pytest.mark.parametrize("shape", [(40, 24, 24), (40, 24)])
def test_a_shape_cuts_below_the_voxel(shape: tuple[int, ...]) -> None:
    grid = Grid(shape, (5.0,) * len(shape), periodic=(True,) * len(shape))
    clip = Clip("cylinder", diameter=0.11)
    sample = Curvatubes(mass=-0.3).sample(grid, seed=1, mask=clip)
    depth = clip.distance(shape, np.array(grid.spacing) * 1e-3) / 0.01
    assert sample.level_set is not None
    assert sample.provenance is not None
    assert (sample.level_set <= np.clip(depth, -1, 1) + 1e-6).all()
    assert sample.level_set.max() > 0
    assert sample.provenance.achieved["mass_error"] < 1e-6
    assert sample.provenance.configuration["mask"]["kind"] == "cylinder"


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((24,) * 3, bool), "empty"),
        (np.ones((24, 24), bool), "24 x 24 x 24"),
        (np.ones((24,) * 3), "float64"),
        (np.abs(np.indices((24,) * 3)[0] - 11.5) < 4, "at least 0.08 wide"),
        (Clip("sphere", diameter=1.0), "at most the 0.12 mm"),
    ],
)
def test_bad_masks_are_refused(mask, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        Curvatubes(mass=-0.4).sample(GRID, seed=1, mask=mask)


@pytest.mark.parametrize(
    "start", ["cubes", np.zeros((3, 3, 3)), np.full(GRID.shape, np.nan), np.ones(GRID.shape), BALL[:12]]
)
def test_bad_starts_are_refused(start) -> None:
    with pytest.raises(InvalidParameter, match="start"):
        Curvatubes(mass=-0.4).sample(GRID, seed=1, start=start)


def test_a_start_that_is_its_texture_already_stays() -> None:
    before = Curvatubes(mass=-0.3).sample(GRID, seed=1)
    assert before.level_set is not None
    after = Curvatubes(mass=-0.3).sample(GRID, seed=2, start=before.level_set)
    other = Curvatubes(mass=-0.3).sample(GRID, seed=2)
    assert np.mean(after.phase_id != before.phase_id) < 0.1 < np.mean(other.phase_id != before.phase_id)


def test_members_of_an_ensemble_share_mask_and_start() -> None:
    disc = BALL[12]
    (one,) = Curvatubes(mass=-0.4).samples(Grid((24, 24), (5.0,) * 2), 1, seed=5, workers=1, mask=disc, start="tubes")
    made = one.provenance
    assert made is not None
    assert np.array_equal(one.measured, disc)
    assert made.configuration["start"] == "tubes"
    again = Curvatubes(mass=-0.4).sample(one.grid, seed=made.seed or 0, mask=disc, start="tubes")
    assert np.array_equal(again.level_set, one.level_set)


def test_eps_may_change_through_the_box() -> None:
    graded = Graded((Coefficients(),) * 2, (-0.5, -0.5), eps=(0.015, 0.03))
    sample = Curvatubes(graded=graded).sample(Grid((96, 96), (5.0,) * 2), seed=2)
    assert sample.level_set is not None
    slope = np.abs(np.diff(sample.level_set, axis=1))
    assert np.quantile(slope[:16], 0.99) > 1.3 * np.quantile(slope[-16:], 0.99)
    with pytest.raises(InvalidParameter, match="eps"):
        Curvatubes(graded=Graded((Coefficients(),) * 2, (-0.5, -0.5), eps=(0.01, 0.03))).check(GRID, seed=0)
