"""Where weights are solved: what a GPU takes on, what is refused by name, and what its memory holds."""

from __future__ import annotations

import shutil

import pytest
import torch
from test_transport import problem

from microgen import Polycrystal
from microgen.core import device as device_module, solve_weights
from microgen.core.device import chosen
from microgen.core.device_diagram import memory_need, require_memory
from microgen.errors import EnvironmentProblem, InvalidParameter
from microgen.grid import Grid

CUBE = Grid((12, 12, 12), (1.0,) * 3, periodic=(True,) * 3)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with a GPU that torch sees, as far as anyone asks."""
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device_module, "_broken", lambda: "")
    monkeypatch.setattr(device_module, "has_kernels", lambda: True)
    return monkeypatch


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 GiB on the GPU: 5 of them free, 4 kept by torch of which 1 is in use."""
    for name, answer in (("mem_get_info", (5, 8)), ("memory_reserved", 4), ("memory_allocated", 1)):
        size = tuple(k * 2**30 for k in answer) if isinstance(answer, tuple) else answer * 2**30
        monkeypatch.setattr(torch.cuda, name, lambda device, size=size: size)


@pytest.mark.parametrize(
    ("grid", "options", "named"),
    [(Grid((10, 10), (1.0, 1.0)), {}, "cpu for planes"), (CUBE, {"labels": False}, "cpu for what is solved without")],
)
def test_what_no_gpu_does_is_refused_by_name(grid, options, named, gpu):
    with pytest.raises(InvalidParameter, match=named):
        solve_weights(*problem(1, 4, grid), grid, device="cuda", **options)


def test_auto_leaves_to_the_cpu_what_no_gpu_does(gpu):
    grid = Grid((10, 10), (1.0, 1.0))
    first, second = (solve_weights(*problem(1, 4, grid), grid, device=device) for device in ("cpu", "auto"))
    assert torch.equal(first.labels, second.labels)


def test_plain_torch_does_where_triton_lacks_and_the_log_says_so(gpu, caplog):
    gpu.setattr(device_module, "has_kernels", lambda: False)
    assert chosen("auto", kernels=False) == "cpu"
    assert caplog.text == ""
    assert chosen("cuda", kernels=False) == "cuda"
    assert "plain torch" in caplog.text
    with pytest.raises(EnvironmentProblem, match="triton"):
        chosen("cuda")


def test_a_gpu_that_torch_cannot_use_is_none(gpu):
    gpu.setattr(device_module, "_broken", lambda: "torch cannot use the GPU (too old)")
    assert chosen("auto") == "cpu"
    with pytest.raises(EnvironmentProblem, match="too old"):
        chosen("cuda")


def test_auto_leaves_to_the_cpu_what_the_memory_does_not_hold(gpu, memory):
    laws = Polycrystal(1000)
    small, large = (Grid((k, k, k), (1.0,) * 3) for k in (400, 1000))
    assert [laws.device("auto", grid=grid) for grid in (small, large)] == ["cuda", "cpu"]
    assert laws.device("cuda", grid=large) == "cuda"  # which then says what would fit


def test_nothing_is_logged_where_all_is_there(gpu, caplog):
    gpu.setattr(device_module, "has_kernels", lambda: True)
    assert chosen("auto") == "cuda"
    assert caplog.text == ""


def test_a_grid_that_no_memory_holds_is_refused_with_one_that_fits(memory):
    fitting, large = (Grid((k, k, k), (1.0,) * 3) for k in (400, 1000))
    require_memory(fitting, 1000, "cuda")
    with pytest.raises(EnvironmentProblem, match=r"takes about 56.9 GiB; 8.0 GiB are free. About 500x500x500") as found:
        require_memory(large, 1000, "cuda")
    offered = int(str(found.value).partition("About ")[2].partition("x")[0])
    assert memory_need(Grid((offered,) * 3, (1.0,) * 3), 1000) <= 8 * 2**30
