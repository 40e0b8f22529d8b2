"""The flow: modes of the box, mass, determinism, resuming, and what it does when it cannot go on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from microgen.core.flow import FieldSolution, FlowState, Schedule, flow
from microgen.core.operators import Modes
from microgen.core.problem import Metric
from microgen.errors import NotConverged

TUBES = (1.0, 2.0, 6.0, -40.0, -40.0, 400.0)
SHORT = Schedule(least=40, most=60, decay=30)


def run(**changes) -> FieldSolution:
    settings = {"mass": -0.4, "eps": 0.02, "spacing": (0.01,) * 3, "shape": (24, 20, 22), "periodic": (True,) * 3}
    return flow(TUBES, **{**settings, "seed": 3, "schedule": SHORT, **changes})


@pytest.mark.parametrize("periodic", [(True, True, True), (False, True, False), (False, False, False)])
def test_modes_are_orthonormal(periodic: tuple[bool, ...]) -> None:
    modes = Modes((12, 10, 9), (0.1, 0.2, 0.1), periodic, 0.25, np.float64)
    a = np.random.default_rng(0).standard_normal(modes.counts)
    np.testing.assert_allclose(modes.from_voxels(modes.to_voxels(a)), a, atol=1e-12)
    points = modes.from_points(a)
    assert np.linalg.norm(points) == pytest.approx(np.linalg.norm(a))
    np.testing.assert_allclose(np.flatnonzero(np.abs(modes.from_points(np.ones(modes.counts))) > 1e-12), [0])


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(1, 21)] * 3), st.tuples(*[st.booleans()] * 3))
@settings(max_examples=30, deadline=None)
def test_fused_products_are_those_axis_by_axis(seed: int, shape: tuple[int, ...], periodic: tuple[bool, ...]) -> None:
    modes = Modes(shape, (0.1, 0.2, 0.15), periodic, 0.25, np.float64)
    rng = np.random.default_rng(seed)
    amplitudes, field = rng.standard_normal(modes.counts), rng.standard_normal(shape)
    x, y, z = modes._fine
    expected = np.einsum("abc,xa,yb,zc->xyz", amplitudes, x, y, z)
    np.testing.assert_allclose(modes.to_voxels(amplitudes), expected, atol=1e-12)
    expected = np.einsum("xyz,xa,yb,zc->abc", field, x, y, z)
    np.testing.assert_allclose(modes.from_voxels(field), expected, atol=1e-12)


def test_a_mode_has_its_wave_number() -> None:
    modes = Modes((64, 8), (0.1, 0.1), (True, False), 0.1, np.float64)
    a = np.zeros(modes.counts)
    a[3, 0] = 1
    u = modes.to_voxels(a)
    second = (np.roll(u, 1, 0) + np.roll(u, -1, 0) - 2 * u) / 0.01
    np.testing.assert_allclose(second, -(modes.k[3, 0] ** 2) * u, rtol=0.01, atol=1e-9)


@pytest.mark.parametrize("metric", ["H-1", "L2"])
@pytest.mark.parametrize("periodic", [(True, True, True), (False, True, False)])
def test_mass_is_exact_and_energy_falls(metric: str, periodic: tuple[bool, ...]) -> None:
    schedule = Schedule(least=40, most=60, decay=30, metric=Metric(kind=metric))
    solution = run(periodic=periodic, schedule=schedule)
    assert solution.mass_error < 1e-6
    assert solution.energy < 0.2 * solution.history[0]


def test_same_seed_gives_the_same_bits_and_another_seed_does_not() -> None:
    first, again, other = run().field, run().field, run(seed=4).field
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_resumed_flow_ends_in_the_same_bits() -> None:
    states: list[FlowState] = []
    whole = run(on_state=states.append)
    resumed = run(start=states[1])
    assert 0 < states[1].step < whole.iterations
    assert np.array_equal(resumed.field, whole.field)
    assert np.array_equal(resumed.history, whole.history)


def test_mass_may_vary_in_space() -> None:
    mass = np.linspace(-0.7, 0.1, 24)[:, None, None] * np.ones((24, 20, 22))
    solution = run(mass=mass, periodic=(False, True, True))
    assert solution.mass_error < 1e-6
    assert solution.field[-6:].mean() > solution.field[:6].mean() + 0.2


def test_a_plane_flows_too() -> None:
    solution = run(shape=(40, 32), spacing=(0.01, 0.01), periodic=(True, False))
    assert solution.field.shape == (40, 32)
    assert solution.mass_error < 1e-6


def test_a_start_that_is_no_number_is_refused_with_a_reason() -> None:
    with pytest.raises(NotConverged, match="no number"):
        run(start=np.full((24, 20, 22), np.nan))


def test_an_overflow_keeps_the_last_good_field() -> None:
    schedule = Schedule(least=40, most=60, decay=30, rms=1e12)
    with pytest.raises(NotConverged) as caught:
        run(schedule=schedule)
    best = caught.value.best
    assert isinstance(best, FieldSolution)
    assert np.isfinite(best.field).all()
    assert best.status == "diverged"


def test_a_field_of_one_sign_is_no_texture() -> None:
    assert run(mass=-0.97, schedule=Schedule(least=1, most=150, decay=30)).status == "no_texture"
