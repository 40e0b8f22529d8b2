"""The GPU kernel of the curvature energy: against that of the CPU, in Triton's interpreter where there is no GPU."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from microgen.core.phase_field import Energy
from tests.core.compiling import require_compiles

pytest.importorskip("triton", reason="no triton for this machine: the GPU kernels cannot be run")
GPU = torch.cuda.is_available()

TUBES = (1.0, 2.0, 6.0, -40.0, -40.0, 400.0)
SOFT = {"xi": 1e-2, "xi_soft": 0.5}  # smooth enough for gradients to mean something in float64


def assert_same(u: np.ndarray, energy: Energy) -> None:
    expected, slope = energy(u)
    value, gradient = energy(torch.tensor(u, device="cuda" if GPU else "cpu"))
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient.cpu().numpy(), slope, rtol=0, atol=1e-10 * np.abs(slope).max())


@pytest.mark.parametrize("periodic", list(product([True, False], repeat=3)))
def test_a_volume_is_that_of_the_cpu(periodic: tuple[bool, ...]) -> None:
    u = np.random.default_rng(1).uniform(-1, 1, (5, 6, 7))
    assert_same(u, Energy(TUBES, 0.2, (0.1, 0.13, 0.17), periodic, 3.0, (0.3, 0.4, 0.5), **SOFT))


@pytest.mark.parametrize("periodic", list(product([True, False], repeat=2)))
def test_a_plane_is_that_of_the_cpu(periodic: tuple[bool, ...]) -> None:
    u = np.random.default_rng(2).uniform(-1, 1, (7, 6))
    assert_same(u, Energy(TUBES, 0.2, (0.1, 0.13), periodic, 3.0, (0.3, 0.4), **SOFT))


def test_coefficients_that_vary() -> None:
    rng = np.random.default_rng(3)
    some = tuple(c * rng.uniform(0.5, 1.5, (5, 4, 6)) if c < 0 else c for c in TUBES)
    assert_same(rng.uniform(-1, 1, (5, 4, 6)), Energy(some, 0.2, (0.1, 0.1, 0.2), (True, False, True), **SOFT))


@pytest.mark.parametrize("periodic", [True, False])
def test_slabs_change_nothing(periodic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microgen.core.kernels.phase_field_cuda.ROOM", 2 * 6 * 7)  # two planes at a time
    u = np.random.default_rng(4).uniform(-1, 1, (5, 6, 7))
    assert_same(u, Energy(TUBES, 0.2, (0.1,) * 3, (periodic, True, False), **SOFT))


COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from microgen.core.kernels.phase_field_cuda import _gather, _pull

for kernel in (_pull, _gather):
    kinds = {"rows": "*i64", "start": "i32", "planes": "i32", "nx": "i32", "ny": "i32", "nz": "i32"}
    signature = {n: "constexpr" if n.isupper() else kinds.get(n, "*fp32") for n in kernel.arg_names}
    for periodic in (True, False):
        values = {n: 256 if n == "BLOCK" else periodic for n in kernel.arg_names if n.isupper()}
        fixed = {(kernel.arg_names.index(n),): v for n, v in values.items()}
        made = triton.compile(ASTSource(kernel, signature, constexprs=fixed), target=GPUTarget("cuda", 90, 32))
        assert ".visible .entry" in made.asm["ptx"]
"""


def test_kernels_compile_for_a_gpu_that_is_not_there() -> None:
    require_compiles(COMPILED)
