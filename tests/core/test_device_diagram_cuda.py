"""The GPU kernels of the diagram: against plain torch, in Triton's interpreter where there is no GPU."""

from __future__ import annotations

import pytest
import torch
from test_device_diagram import cells_on
from torch.utils._python_dispatch import TorchDispatchMode

from microgen.core import device_diagram
from microgen.core.device_diagram import DeviceDiagram

pytest.importorskip("triton", reason="no triton for this machine: the GPU kernels cannot be run")
from microgen.core.kernels import diagram_cuda, leaf_cuda, leaf_torch  # noqa: E402
from tests.core.compiling import require_compiles

GPU = torch.cuda.is_available()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter takes as long for every program, and each of them as long whatever it holds."""
    if not GPU:
        monkeypatch.setattr(diagram_cuda, "PROGRAMS", 3)
        monkeypatch.setattr(leaf_cuda, "FEW", 256)
        monkeypatch.setattr(device_diagram, "LEAST", 1)


@pytest.mark.parametrize(
    ("n", "shape", "periodic", "reach"),
    [
        (4, (8, 7, 4), (False, False, False), 0.05),
        (2, (4, 4, 3), (True, False, False), -1.0),  # images of one site beside each other
    ],
)
def test_kernels_say_what_plain_torch_says(n, shape, periodic, reach):
    cells, grid = cells_on(n, n, shape, periodic, aspect=3)
    device = "cuda" if GPU else "cpu"
    weights = cells.weights.to(device)
    there, here = (
        DeviceDiagram(cells, grid, device, kernels=kernels).sweep(weights, reach=reach)
        for kernels in (leaf_torch.KERNELS, leaf_cuda.KERNELS)
    )
    tolerance = 1e-9 if reach >= 0 else 1e-2  # float32 where no voxels are counted
    assert bool(here.fits)
    assert torch.equal(here.counts, there.counts)
    assert torch.equal(here.pair, there.pair)
    torch.testing.assert_close(here.volumes, there.volumes, rtol=0, atol=tolerance)
    torch.testing.assert_close(here.area, there.area, rtol=tolerance, atol=0)
    if reach >= 0:
        assert torch.equal(here.flips.site, there.flips.site)
        torch.testing.assert_close(here.flips.gap, there.flips.gap, rtol=0, atol=1e-9)


COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from microgen.core.kernels.diagram_cuda import _best, _keep
from microgen.core.kernels.leaf_cuda import _eighth, _leaf

KINDS = {name: "*i64" for name in "images first who winners site lows shape ats".split()}
KINDS |= {name: "*i8" for name in "there_at kept special".split()} | {name: "*i32" for name in ("names", "rivals")}
KINDS |= {name: "i32" for name in ("start", "rows", "size")}
SIZES = {"SPLIT": 4, "C": 8, "ROWS": 32, "FLIPS": True, "E": 4}
for kernel, floats in ((_best, "*fp64"), (_keep, "*fp64"), (_leaf, "*fp32"), (_eighth, "*fp32")):
    kinds = KINDS | ({"rows": "*fp64"} if kernel in (_best, _keep) else {})
    signature = {n: "constexpr" if n.isupper() else kinds.get(n, floats) for n in kernel.arg_names}
    fixed = {(kernel.arg_names.index(n),): SIZES[n] for n in kernel.arg_names if n.isupper()}
    made = triton.compile(ASTSource(kernel, signature, constexprs=fixed), target=GPUTarget("cuda", 90, 32))
    assert ".visible .entry" in made.asm["ptx"]
"""


def test_kernels_compile_for_a_gpu_that_is_not_there() -> None:
    require_compiles(COMPILED)


class Asked(TorchDispatchMode):
    """What makes the host wait for the device: numbers and lengths that only the device knows."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in ("_local_scalar_dense", "nonzero", "masked_select", "_unique2"):
            self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_sweep_asks_the_device_nothing_once_its_room_is_known():
    cells, grid = cells_on(4, 4, (8, 7, 4), (False, False, False))
    device = "cuda" if GPU else "cpu"
    swept = DeviceDiagram(cells, grid, device, kernels=leaf_cuda.KERNELS)
    with Asked() as first:
        swept.sweep(cells.weights.to(device))
    with Asked() as later:
        swept.sweep(cells.weights.to(device))
    assert first.names
    assert later.names == []
