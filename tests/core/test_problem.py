"""The same problem on coarser voxels, and on tensors."""

from __future__ import annotations

import numpy as np
import pytest

from microgen.core.flow import Schedule, flow
from microgen.core.problem import Metric, Problem, coarser, problem

TUBES = (1.0, 2.0, 6.0, -40.0, -40.0, 400.0)


def fine(**changes) -> Problem:
    settings = {"mass": -0.4, "eps": 0.04, "spacing": (0.01, 0.02, 0.01), "shape": (40, 24, 48), "metric": Metric()}
    return problem(TUBES, **{**settings, "periodic": (True, False, True), **changes})


def some(task: Problem) -> np.ndarray:
    a = np.random.default_rng(1).standard_normal(task.modes.counts) * np.exp(-((0.08 * task.modes.k) ** 2))
    a.flat[0] = 0
    return (a * np.sqrt(task.modes.size / (a**2).sum())).astype(np.float32)


def test_coarse_voxels_are_eps_over_one_and_a_half() -> None:
    rough = coarser(fine())
    assert rough.modes.shape == (15, 18, 18)
    assert rough.modes.counts == fine().modes.counts
    assert max(rough.modes.spacing) <= 0.04 / 1.5 * (1 + 1e-9)


def test_voxels_that_are_coarse_already_stay() -> None:
    task = fine(eps=0.03, spacing=(0.02,) * 3)
    assert coarser(task) is task


def test_amplitudes_mean_the_same_field_on_both() -> None:
    task = fine()
    rough, a = coarser(task), some(task)
    u, v = task.field(a) - task.base, rough.field(a) - rough.base
    assert (v**2).mean() == pytest.approx((u**2).mean(), rel=1e-4)
    assert v[:, 0].mean() == pytest.approx(u[:, 0].mean(), abs=0.02)


def test_energy_and_slope_in_the_amplitudes_are_close_on_both() -> None:
    task = fine()
    rough, a = coarser(task), some(task)
    pulls = [t.modes.from_voxels(t.slope(t.field(a))[1]).ravel() for t in (task, rough)]
    assert rough.slope(rough.field(a))[0] == pytest.approx(task.slope(task.field(a))[0], rel=0.1)
    assert np.corrcoef(*pulls)[0, 1] > 0.97
    assert np.linalg.norm(pulls[1]) == pytest.approx(np.linalg.norm(pulls[0]), rel=0.15)


def test_what_varies_is_taken_along() -> None:
    mass = np.linspace(-0.7, 0.1, 40)[:, None, None] * np.ones((40, 24, 48))
    mask = np.zeros(mass.shape, bool)
    mask[10:30] = True
    rough = coarser(fine(mass=mass, eps=np.full(mass.shape, 0.04), mask=mask))
    assert np.shape(rough.energy.eps) == rough.base.shape == rough.modes.shape
    assert rough.base.mean() == pytest.approx(mass.mean(), abs=0.01)
    assert rough.mask is not None
    assert rough.mask.inside.mean() == pytest.approx(0.5, abs=0.05)


def test_tensors_flow_like_arrays() -> None:
    pytest.importorskip("triton", reason="no triton for this machine")
    short = Schedule(least=2, most=3, decay=3)
    asked = {"mass": -0.4, "eps": 0.02, "spacing": (0.01,) * 3, "shape": (12, 9, 10), "periodic": (True, False, True)}
    arrays = flow(TUBES, **asked, seed=3, schedule=short)
    tensors = flow(TUBES, **asked, seed=3, schedule=short, device="cpu:0")
    np.testing.assert_allclose(tensors.field, arrays.field, atol=2e-3)
    np.testing.assert_allclose(tensors.history, arrays.history, rtol=1e-3)
    assert isinstance(tensors.state.mean, np.ndarray)
