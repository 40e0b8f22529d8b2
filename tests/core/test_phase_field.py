"""Curvature energy: the fused kernel against autograd and finite differences, and its exact invariances."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from microgen.core.kernels import phase_field_reference as reference
from microgen.core.kernels.phase_field_cpu import ROOM
from microgen.core.phase_field import Energy

TUBES = (1.0, 2.0, 6.0, -40.0, -40.0, 400.0)
SOFT = {"xi": 1e-2, "xi_soft": 0.5}  # smooth enough for gradients to mean something in float64


def by_autograd(u: np.ndarray, energy: Energy) -> tuple[float, np.ndarray]:
    field = torch.tensor(u, requires_grad=True)
    tensors = [torch.tensor(x) if np.ndim(x) else x for x in (*energy.coefficients, energy.eps)]
    value = reference.energy(
        field,
        tensors[:6],
        eps=tensors[6],
        spacing=energy.spacing,
        periodic=energy.periodic,
        orientation=(energy.mu, energy.theta),
        xi=energy.xi,
        xi_soft=energy.xi_soft,
    )
    value.backward()
    assert field.grad is not None
    return value.item(), field.grad.numpy()


def assert_same(u: np.ndarray, energy: Energy) -> None:
    value, gradient = energy(u)
    expected, slope = by_autograd(u, energy)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-10 * np.abs(slope).max())


@pytest.mark.parametrize("periodic", list(product([True, False], repeat=3)))
def test_gradient_in_a_volume_is_that_of_autograd(periodic: tuple[bool, ...]) -> None:
    u = np.random.default_rng(1).uniform(-1, 1, (5, 6, 7))
    assert_same(u, Energy(TUBES, 0.2, (0.1, 0.13, 0.17), periodic, 3.0, (0.3, 0.4, 0.5), **SOFT))


@pytest.mark.parametrize("periodic", list(product([True, False], repeat=2)))
def test_gradient_in_a_plane_is_that_of_autograd(periodic: tuple[bool, ...]) -> None:
    u = np.random.default_rng(2).uniform(-1, 1, (7, 6))
    assert_same(u, Energy(TUBES, 0.2, (0.1, 0.13), periodic, 3.0, (0.3, 0.4), **SOFT))


def test_gradient_with_coefficients_that_vary_is_that_of_autograd() -> None:
    rng = np.random.default_rng(3)
    fields = tuple(c * rng.uniform(0.5, 1.5, (5, 4, 6)) for c in TUBES)
    eps = rng.uniform(0.15, 0.25, (5, 4, 6))
    assert_same(rng.uniform(-1, 1, (5, 4, 6)), Energy(fields, eps, (0.1, 0.1, 0.2), (True, False, True), **SOFT))


def test_rows_longer_than_the_scratch_change_nothing() -> None:
    u = np.random.default_rng(4).uniform(-1, 1, (3, 4, ROOM + 60))
    assert_same(u, Energy(TUBES, 0.2, (0.1, 0.1, 0.1), (True, True, False), **SOFT))


def test_gradient_is_that_of_finite_differences() -> None:
    u = np.random.default_rng(5).uniform(-1, 1, (6, 5, 4))
    energy = Energy(TUBES, 0.2, (0.1, 0.1, 0.1), (True, True, True), **SOFT)
    way = np.random.default_rng(6).standard_normal(u.shape)
    slope = (energy(u + 1e-6 * way)[0] - energy(u - 1e-6 * way)[0]) / 2e-6
    assert np.vdot(energy(u)[1], way) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("slabs", [1, 2, 3, 7])
def test_number_of_slabs_changes_no_bit(slabs: int) -> None:
    u = np.random.default_rng(7).uniform(-1, 1, (7, 9, 20)).astype(np.float32)
    energy = Energy(TUBES, 0.02, (0.01,) * 3, (True, False, True))
    value, gradient = energy(u, slabs=slabs)
    expected, slope = energy(u, slabs=4)
    assert value == expected
    assert np.array_equal(gradient, slope)


@pytest.mark.parametrize("axis", [0, 1])
def test_translation_moves_the_gradient_and_nothing_else(axis: int) -> None:
    u = np.random.default_rng(8).uniform(-1, 1, (6, 8, 16)).astype(np.float32)
    energy = Energy(TUBES, 0.02, (0.01,) * 3, (True,) * 3)
    value, gradient = energy(u)
    moved, slope = energy(np.roll(u, 3, axis))
    assert moved == pytest.approx(value, rel=1e-6)
    np.testing.assert_array_equal(slope, np.roll(gradient, 3, axis))


def test_a_flat_interface_costs_the_constant_times_its_area() -> None:
    """u = tanh(x / (sqrt 2 eps)): no curvature, F = 2 sqrt 2 / 3 c per area; two interfaces of unit area here."""
    h, eps = 1 / 400, 0.02
    x = (np.arange(400) + 0.5) * h
    profile = np.tanh((0.25 - np.abs(x - 0.5)) / (np.sqrt(2) * eps))
    u = np.broadcast_to(profile[:, None], (400, 4)).copy()
    value, _ = Energy((0.0, 0.0, 0.0, 0.0, 0.0, 1.0), eps, (h, 0.25), (True, True))(u)
    assert value == pytest.approx(2 * 2 * np.sqrt(2) / 3, rel=0.01)


def test_a_cylinder_has_the_curvature_of_its_radius() -> None:
    """p = kappa_1² on a circle of radius r: F = 2 sqrt 2 / 3 · 2 pi / r."""
    h, eps, r = 1 / 200, 0.02, 0.3
    x = (np.arange(200) + 0.5) * h - 0.5
    u = np.tanh((r - np.hypot(x[:, None], x)) / (np.sqrt(2) * eps))
    value, _ = Energy((1.0, 0.0, 0.0, 0.0, 0.0, 0.0), eps, (h, h), (False, False))(u)
    assert value == pytest.approx(2 * np.sqrt(2) / 3 * 2 * np.pi / r, rel=0.03)
