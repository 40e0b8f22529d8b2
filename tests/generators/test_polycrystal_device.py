"""Polycrystals by the solver for devices: the same laws, the volumes met; and what only a CPU does, by name."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from microgen.core import device as device_module, device_transport
from microgen.core.device_transport import DeviceProblem
from microgen.errors import EnvironmentProblem, InvalidParameter
from microgen.generators.laws import SizeLaw
from microgen.generators.polycrystal import Polycrystal
from microgen.grid import Grid

GRID = Grid((20, 20, 20), (1.0,) * 3, periodic=(True,) * 3)


def test_a_sample_has_the_laws_of_the_cpus_and_meets_its_volumes(device, monkeypatch):
    laws = Polycrystal(grains=12, size=SizeLaw(cv=0.2))
    expected = laws.sample(GRID, seed=1)
    monkeypatch.setattr(device_transport, "on_device", lambda problem, where: DeviceProblem(problem, device))
    found = laws.sample(GRID, seed=1)
    counts = np.bincount(found.grain_id.ravel(), minlength=13)[1:]
    large = found.grains.volume_target >= 400
    assert np.abs(counts / found.grains.volume_target - 1)[large].max() <= 0.01
    assert np.array_equal(found.grains.orientation, expected.grains.orientation)
    assert np.array_equal(found.grains.volume_target, expected.grains.volume_target)
    assert (found.grain_id != expected.grain_id).mean() < 0.01


@pytest.mark.parametrize(
    ("laws", "ndim", "beside", "named"),
    [
        ({"void": 0.1}, 3, "", "void"),
        ({"exponent": 4.0}, 3, "", "exponent"),
        ({"cells": "laguerre"}, 3, "", "laguerre"),
        ({}, 2, "", "planes"),
        ({}, 3, "a mask", "a mask"),
    ],
)
def test_what_only_a_cpu_does_is_left_to_it_or_refused_by_name(laws, ndim, beside, named, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device_module, "_broken", lambda: "")
    monkeypatch.setattr(device_module, "has_kernels", lambda: True)
    made = Polycrystal(grains=5, **laws)
    assert made.device("auto", ndim, beside=beside) == "cpu"
    assert Polycrystal(grains=5).device("auto") == "cuda"
    with pytest.raises(InvalidParameter, match=f"device: expected cpu or auto for .*{named}"):
        made.device("cuda", ndim, beside=beside)


def test_masks_and_streams_are_refused_by_name():
    with pytest.raises(InvalidParameter, match="a mask"):
        Polycrystal(grains=5).sample(GRID, seed=1, device="cuda", mask=np.ones(GRID.shape, bool))
    with pytest.raises(InvalidParameter, match="streamed"):
        Polycrystal(grains=5).stream(GRID, seed=1, device="cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(EnvironmentProblem, match="--device cpu"):
        Polycrystal(grains=5).sample(GRID, seed=1, device="cuda")
