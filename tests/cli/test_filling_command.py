"""`microgen polycrystal` with void, other exponents and masks: files, report, rerun, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import read, read_provenance
from tests.cli.conftest import SMALL

FLAGS = ("--exponent", 4, "--void", 0.3)


def test_all_outputs_know_the_void(microgen) -> None:
    outputs = ("a.tif", "a.csv", "a.vti", "a.npz")
    done = microgen(
        "polycrystal", *SMALL, *FLAGS, *(part for name in outputs for part in ("--out", name)), "--report", "r.html"
    )
    assert done.code == 0, done.err
    assert "% void" in done.err
    for name in ("a.tif", "a.vti", "a.npz"):
        sample = read(Path(name))
        assert (sample.grain_id == 0).mean() == pytest.approx(0.3, abs=0.02)
        assert np.array_equal(sample.phase_id == -1, sample.grain_id == 0)
    assert read_provenance(Path("a.csv")).configuration["void"] == 0.3
    assert Path("r.html").stat().st_size > 10_000
    assert microgen("rerun", "a.tif").code == 0
    refused = microgen("polycrystal", "--sites", "a.csv", "--out", "b.tif")
    assert refused.code == 2
    assert "weights" in refused.err


def test_grains_in_a_container_come_again(microgen) -> None:
    solid = np.zeros((24, 20, 16), np.uint8)
    solid[4:20, 3:17] = 1
    np.save("container.npy", solid)
    flags = (*SMALL, *FLAGS, "--mask", "container.npy")
    done = microgen("polycrystal", *flags, "--out", "a.tif", "--json")
    assert done.code == 0, done.err
    assert done.json["void"] == pytest.approx(0.3, abs=0.02)
    assert read(Path("a.tif")).grain_id[solid == 0].max() == 0
    assert read_provenance(Path("a.tif")).configuration["mask"]["file"] == "container.npy"
    assert "bit for bit" in microgen("rerun", "a.tif").err
    assert microgen("describe", "a.tif").code == 0
    np.save("container.npy", 1 - solid)
    assert microgen("rerun", "a.tif", "--overwrite").code == 4


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (("--exponent", 0), "exponent"),
        (("--void", 1), "void"),
        (("--void", 0.2, "--cells", "laguerre"), "void"),
        (("--mask", "sphere", "--mask-diameter", 99), "mask"),
        (("--mask-diameter", 1), "--mask-diameter"),
        (("--void", 0.2, "--numbers", "n.toml"), "--void"),
        (("--mask", "sphere", "--numbers", "n.toml"), "--mask"),
        (("--mask", "sphere", "--size.mean", 6), "none beside --mask"),
    ],
)
def test_what_cannot_be_is_refused_by_name(microgen, flags, name) -> None:
    done = microgen("polycrystal", *SMALL, *flags, "--out", "a.tif")
    assert done.code == 2
    assert name in done.err
    assert not Path("a.tif").exists()


def test_a_mask_that_is_no_file_is_said(microgen) -> None:
    assert microgen("polycrystal", *SMALL, "--mask", "nothing.npy", "--out", "a.tif").code == 4


def test_a_missed_tolerance_is_5_and_the_best_is_kept(microgen) -> None:
    done = microgen("polycrystal", *SMALL, *FLAGS, "--tolerance", 1e-9, "--out", "a.tif")
    assert done.code == 5
    assert read_provenance(Path("a.tif")).achieved["status"] == "not_converged"
