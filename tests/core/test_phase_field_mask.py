"""Masks: exact means, the projected gradient against autograd, translations; and starts drawn from a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from microgen.core.flow import Schedule, flow
from microgen.core.kernels import phase_field_reference as reference
from microgen.core.masked import masked
from microgen.core.operators import Modes
from microgen.core.phase_field import Energy
from microgen.core.problem import Metric, problem
from microgen.core.starts import scattered

TUBES = (1.0, 2.0, 6.0, -40.0, -40.0, 400.0)
SHAPE, STEP = (24, 20, 22), (0.01,) * 3


def ball(shape: tuple[int, ...], radius: float) -> np.ndarray:
    axes = [np.arange(n) + 0.5 - n / 2 for n in shape]
    return sum(x**2 for x in np.meshgrid(*axes, indexing="ij")) < radius**2


@pytest.mark.parametrize("periodic", [(True, True, True), (False, True, False)])
@pytest.mark.parametrize("mass", [-0.4, np.linspace(-0.7, 0.1, 24)[:, None, None] * np.ones(SHAPE)])
def test_box_and_mask_have_the_mass(periodic: tuple[bool, ...], mass) -> None:
    mask, schedule = ball(SHAPE, 9), Schedule(least=40, most=60, decay=30)
    wanted = np.broadcast_to(mass, SHAPE)
    found = flow(TUBES, mass=mass, eps=0.02, spacing=STEP, shape=SHAPE, periodic=periodic, mask=mask, schedule=schedule)
    assert found.mass_error < 1e-6
    assert found.field[mask].mean(dtype=float) == pytest.approx(wanted[mask].mean(), abs=1e-6)
    assert found.field.mean(dtype=float) == pytest.approx(wanted.mean(), abs=1e-6)


@pytest.mark.parametrize("periodic", [(True, True, True), (False, True, False)])
def test_gradient_with_a_mask_is_that_of_autograd(periodic: tuple[bool, ...]) -> None:
    shape, mask = (6, 7, 8), ball((6, 7, 8), 2.7)
    energy = Energy(TUBES, 0.2, (0.1,) * 3, periodic, xi=1e-2, xi_soft=0.5)
    projection = masked(Modes(shape, (0.1,) * 3, periodic, 0.2, np.float64), mask)
    v = torch.tensor(np.random.default_rng(1).uniform(-1, 1, shape), requires_grad=True)
    u = v - v[torch.tensor(mask)].mean() * torch.tensor(projection.shift) - 0.3
    expected = reference.energy(u, TUBES, eps=0.2, spacing=(0.1,) * 3, periodic=periodic, xi=1e-2, xi_soft=0.5)
    expected.backward()
    value, gradient = energy(projection.without_mean(v.detach().numpy()) - 0.3)
    assert v.grad is not None
    assert value == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(projection.adjoint(gradient), v.grad.numpy(), atol=1e-10 * float(v.grad.abs().max()))


def test_a_mask_that_moves_around_the_torus_changes_nothing() -> None:
    mask, u = ball(SHAPE, 7), np.random.default_rng(2).uniform(-1, 1, SHAPE).astype(np.float32)
    settings = {"mass": -0.4, "eps": 0.02, "spacing": STEP, "shape": SHAPE, "periodic": (True,) * 3}
    here = problem(TUBES, **settings, metric=Metric(), mask=mask)
    there = problem(TUBES, **settings, metric=Metric(), mask=np.roll(mask, (5, 3, -4), (0, 1, 2)))
    value, slope = here.slope(u)
    moved, turned = there.slope(np.roll(u, (5, 3, -4), (0, 1, 2)))
    assert moved == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(turned, np.roll(slope, (5, 3, -4), (0, 1, 2)), atol=1e-4 * np.abs(slope).max())


def test_a_mask_of_all_but_a_voxel_is_no_trouble() -> None:
    mask = np.ones(SHAPE, bool)
    mask[3, 4, 5] = False
    schedule = Schedule(least=40, most=60, decay=30)
    asked = {"mass": -0.4, "eps": 0.02, "spacing": STEP, "shape": SHAPE, "periodic": (True,) * 3, "schedule": schedule}
    with_mask, without = flow(TUBES, **asked, seed=1, mask=mask), flow(TUBES, **asked, seed=1)
    assert with_mask.mass_error < 1e-5
    assert with_mask.energy == pytest.approx(without.energy, rel=0.1)


@pytest.mark.parametrize("kind", ["spheres", "tubes"])
@pytest.mark.parametrize("periodic", [(True, True, True), (False, True, False)])
def test_starts_are_of_the_seed_and_of_the_mass(kind: str, periodic: tuple[bool, ...]) -> None:
    modes = Modes((64, 60, 50), STEP, periodic, 0.02)
    first, again, other = (scattered(modes, kind, -0.4, 0.02, np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    u = modes.to_voxels(first) - 0.4
    assert (u > 0).mean() == pytest.approx(0.3, abs=0.05)
    assert np.abs(u).mean() > 0.6  # 0.45 for noise


def test_balls_are_round_and_go_on_around_the_torus() -> None:
    """A single ball fills more than this mass: it has radius 4 eps, and lies around a corner of the box."""
    modes = Modes((64, 64, 64), STEP, (True,) * 3, 0.02)
    one = scattered(modes, "spheres", -0.999, 0.02, _AtTheCorner())
    u = modes.to_voxels(one)
    volume = np.count_nonzero(u > u.min() / 2 + u.max() / 2) * 1e-6
    assert volume == pytest.approx(4 / 3 * np.pi * 0.08**3, rel=0.06)
    assert np.allclose(u, u.transpose(1, 0, 2), atol=1e-3)


class _AtTheCorner(np.random.Generator):
    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, *args, size, **options):  # type: ignore[override]
        return np.zeros(size)


def test_a_flow_from_balls_is_another_texture() -> None:
    asked = {"mass": -0.4, "eps": 0.02, "spacing": STEP, "shape": SHAPE, "periodic": (True,) * 3, "seed": 1}
    asked["schedule"] = replace(Schedule(), least=40, most=60, decay=30)
    balls, again, noise = (flow(TUBES, **asked, start=name).field for name in ("spheres", "spheres", "noise"))
    assert np.array_equal(balls, again)
    assert np.mean((balls > 0) != (noise > 0)) > 0.05
