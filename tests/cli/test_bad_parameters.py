"""Parameters and outputs that cannot be: refused at once, by name, with nothing written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

OUT = ["--out", "rve.tif"]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--size.cv", -0.1], "size.cv"),
        (["--size.cv=-0.1"], "size.cv"),
        (["--size.mean", 0], "size.mean"),
        (["--grains", 0], "grains"),
        (["--grains", 1.5], "grains"),
        (["--grains", "many"], "grains"),
        (["--grains", 65, "--shape", 4, 4, 4], "grains"),
        (["--shape", 0, 8, 8], "--shape"),
        (["--shape", -8, 8, 8], "--shape"),
        (["--shape", 8], "--shape"),
        (["--shape", 8, 8, 8, 8], "--shape"),
        (["--shape", 8.5, 8, 8], "--shape"),
        (["--spacing", 0], "--spacing"),
        (["--spacing", "-1um"], "--spacing"),
        (["--spacing", "1 furlong"], "--spacing"),
        (["--spacing", "nan"], "--spacing"),
        (["--tolerance", 0], "tolerance"),
        (["--tolerance", -0.01], "tolerance"),
        (["--aspect-ratio.mean", 0.5], "aspect_ratio.mean"),
        (["--fabric.axis", 0, 0, 0], "fabric.axis"),
        (["--hard-core", 2], "hard_core"),
        (["--texture.kernel", "400deg"], "texture.kernel"),
        (["--texture.kind", "measured"], "texture.orientations"),
        (["--phases", '{"name": "a", "fraction": 0.4}'], "phases.fraction"),
        (["--phases", '{"name": "a", "fracton": 1}'], "phases"),
        (["--periodic", "xw"], "--periodic"),
        (["--threshold", 0], "--threshold"),
        (["--threshold", "5um"], "--threshold"),
        (["--min-pixels", 0], "--min-pixels"),
        (["--seed", -1], "seed"),
        (["--samples", -1], "--samples"),
        (["--samples", 0], "--samples"),
        (["--fit", "full"], "--ebsd"),
        (["--fit", "thorough"], "quick"),
        (["--grains", 10, "--shape", 16, 16, 16, "--spacing", 1, "--size.mean", 40], "16 x 16 x 16"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_impossible_parameters_are_2_and_named(flags, word, microgen) -> None:
    done = microgen("polycrystal", *flags, *OUT)
    assert done.code == 2
    assert word in done.err
    assert done.out == ""
    assert os.listdir() == []


@pytest.mark.parametrize(
    "out",
    [["rve.xyz"], ["rve"], ["rve.ang5"], ["rve.tif", "rve.tif"], []],
    ids=["other", "none", "near", "twice", "no"],
)
def test_outputs_of_no_known_kind_are_2(out: list[str], microgen) -> None:
    assert microgen("polycrystal", *(f"--out={name}" for name in out)).code == 2
    assert os.listdir() == []


def test_missing_folder_is_3_before_anything_is_made(microgen) -> None:
    done = microgen("polycrystal", "--grains", 10, "--out", "nowhere/rve.tif")
    assert done.code == 3
    assert "nowhere" in done.err
    assert "making" not in done.err


@pytest.mark.parametrize("name", ["rve.tif", "rve.tif.json", "page.html", "grains"])
def test_existing_outputs_are_kept(name: str, microgen) -> None:
    if name == "grains":
        Path(name).mkdir()
        (Path(name) / "thesis.doc").write_text("mine")
    else:
        Path(name).write_text("mine")
    flags = ["--grains", 10, "--shape", 12, 12, 12, "--report", "page.html", "--stl-grains", "grains"]
    assert microgen("polycrystal", *flags, *OUT).code == 3
    kept = Path(name) / "thesis.doc" if name == "grains" else Path(name)
    assert kept.read_text() == "mine"


def test_overwrite_replaces(microgen) -> None:
    Path("rve.tif").write_text("mine")
    assert microgen("polycrystal", "--grains", 10, "--shape", 12, 12, 12, *OUT, "--overwrite").code == 0
    assert Path("rve.tif").read_bytes()[:2] in (b"II", b"MM")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_3(microgen) -> None:
    Path("locked").mkdir(mode=0o500)
    assert microgen("polycrystal", "--grains", 10, "--out", "locked/rve.tif").code == 3


def test_full_device_is_3(microgen) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    assert microgen("polycrystal", "--grains", 10, "--out", "/dev/full/rve.tif").code == 3


@pytest.mark.parametrize(
    ("flag", "value"), [("void", 0.1), ("samples", 2), ("mask", "sphere"), ("exponent", 4), ("cells", "laguerre")]
)
def test_what_no_gpu_makes_is_2_and_named(flag, value, microgen) -> None:
    done = microgen("polycrystal", "--device", "cuda", f"--{flag}", value, *OUT)
    assert done.code == 2
    assert f"{flag}" in done.err
    assert "--device cpu" in done.err


def test_a_gpu_that_is_not_there_is_3(microgen) -> None:
    done = microgen("polycrystal", "--device", "cuda", *OUT)
    assert done.code == 3
    assert "--device cpu" in done.err


def test_more_memory_than_there_is_is_3_and_nothing_is_allocated(microgen) -> None:
    done = microgen("polycrystal", "--shape", 30000, 30000, 30000, *OUT)
    assert done.code == 3
    assert "of memory" in done.err


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--out", "a.tif", "--out", "a.stl"], "--stl-grains"),
        (["--samples", 2, "--out", "a.tif", "--out", "a.stl"], "--stl-grains"),
        (["--out", "a.tif", "--out", "a.tess"], "--cells laguerre"),
        (["--out", "a.tif", "--out", "a.vtu"], "--cells laguerre"),
        (["--shape", 32, 32, "--out", "a.tif", "--stl-grains", "grains"], "--shape"),
    ],
)
def test_what_an_output_cannot_hold_is_refused_before_anything_is_written(flags, word, microgen, tmp_path) -> None:
    shape = [] if "--shape" in flags else ["--shape", 24, 24, 24]
    done = microgen("polycrystal", "--grains", 20, *shape, "--spacing", "1um", *flags)
    assert done.code == 2
    assert word in done.err
    assert not list(tmp_path.iterdir())
