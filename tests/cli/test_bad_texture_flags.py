"""Wrong values of the flags of `curvatubes`, `atlas`, `design`, `describe` and `compare`: refused by name, no files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from microgen import Grid, Microstructure, Phase, write

TEXTURE = ["curvatubes", "--preset", "tubes", "--shape", 20, 20, 20, "--out", "o.npy"]
DESIGN = ["design", "--porosity", 0.7, "--out", "o.tif"]
ATLAS = ["atlas", "--out", "o.csv"]


@pytest.fixture
def files(tmp_path: Path) -> set[str]:
    """Files to go wrong with, and their names."""
    ways = np.indices((40,) * 3).sum(axis=0)
    write(Microstructure(Grid((40,) * 3, (20.0,) * 3), np.where(ways % 13 < 5, 0, -1), (Phase("a"),)), "two.tif")
    np.save("grey.npy", (ways[:20, :20, :20] * 997 % 256).astype(np.uint8))
    np.save("nan.npy", np.full((20,) * 3, np.nan, np.float32))
    Path("folder").mkdir()
    return set(os.listdir(tmp_path))


CASES = [
    ([*TEXTURE, "--spacing", "1e300"], 2, "--spacing"),
    ([*TEXTURE, "--spacing", "1e-300"], 2, "--spacing"),
    ([*TEXTURE, "--eps", "1e300"], 2, "Use a smaller eps, or a larger dx"),
    ([*TEXTURE, "--samples", 10**11], 2, "1 to 1000000 members"),
    ([*TEXTURE, "--member", 1], 2, "--samples N beside it"),
    ([*TEXTURE, "--free", "mass"], 2, "--uct"),
    ([*TEXTURE, "--trials", "t.jsonl"], 2, "--uct"),
    ([*TEXTURE, "--fit", 5], 2, "--uct"),
    ([*TEXTURE, "--grey-threshold", "otsu"], 2, "--uct"),
    ([*TEXTURE, "--invert"], 2, "--uct"),
    ([*TEXTURE, "--mask", "folder"], 4, "is a folder"),
    ([*TEXTURE, "--mask", "grey.npy"], 2, "grey values?"),
    ([*TEXTURE, "--start", "grey.npy"], 2, "grey values?"),
    ([*TEXTURE, "--start", "nan.npy"], 4, "NaN"),
    ([*TEXTURE, "--start", "Noise"], 4, "noise, spheres, tubes"),
    ([*TEXTURE, "--print.scale", "1e300"], 2, "print.scale"),
    (["curvatubes", "--uct", "two.tif", "--out", "o.npy", "--seed", -1], 2, "seed"),
    (["curvatubes", "--uct", "two.tif", "--out", "o.npy", "--shape", 5, 5, 5], 2, "at least 16 x 16 x 16"),
    (["curvatubes", "--uct", "two.tif", "--out", "o.npy", "--shape", 20, 20], 2, "3 numbers"),
    (["curvatubes", "--uct", "two.tif", "--out", "o.npy", "--shape", 20, 20, 20, "--size-mm", 1], 2, "--size-mm"),
    (["curvatubes", "--uct", "two.tif", "--out", "o.npy", "--free", "nothing"], 2, "reduced.kg"),
    (["curvatubes", "--uct", "two.tif", "--out", "o.npy", "--trials", "folder"], 3, "Name another file"),
    ([*ATLAS, "--samples", 10**11], 2, "1 to 1000000"),
    ([*ATLAS, "--workers", 10**6], 3, "of memory"),
    ([*ATLAS, "--device", "cuda"], 3, "surveys have no CUDA"),
    ([*DESIGN, "--thickness", "x"], 2, "--thickness cannot"),
    ([*DESIGN, "--thickness", "1e999"], 2, "--thickness cannot"),
    ([*DESIGN, "--wish", "x"], 2, "--wish cannot"),
    ([*DESIGN, "--spacing", 0], 2, "--spacing"),
    ([*DESIGN, "--seed", -1], 2, "seed"),
    ([*DESIGN, "--shape", 5, 5, 5], 2, "at least 16 x 16 x 16"),
    ([*DESIGN, "--shape", 20, 20], 2, "3 numbers"),
    ([*DESIGN, "--shape", 30000, 30000, 30000], 3, "of memory"),
    (["describe", "two.tif", "--phase", 1.5], 2, "a whole number"),
    (["describe", "two.tif", "--spacing", "1e300"], 2, "--spacing"),
    (["describe", "nan.npy"], 4, "NaN"),
    (["compare", "grey.npy", "grey.npy"], 2, "--grey-threshold"),
    (["compare", "two.tif", "two.tif", "--min-pixels", 0], 2, "--min-pixels"),
    (["compare", "two.tif", "two.tif", "--seed", -1], 2, "--seed"),
    (["compare", "two.tif", "two.tif", "--report", "r.txt"], 2, "NAME.html"),
]


@pytest.mark.parametrize(("argv", "code", "word"), CASES, ids=[" ".join(map(str, argv[-2:])) for argv, _, _ in CASES])
def test_a_wrong_value_is_named_and_leaves_nothing(argv, code, word, microgen, files: set[str]) -> None:
    done = microgen(*argv)
    assert done.code == code, done.err
    assert word in done.err
    assert "Warning" not in done.err
    assert done.out == ""
    assert set(os.listdir()) == files


def test_voxels_that_no_one_can_measure_are_the_fault_of_the_file(microgen) -> None:
    write(Microstructure(Grid((8,) * 3, (1e-300,) * 3), np.indices((8,) * 3)[0] % 2 - 1, (Phase("a"),)), "a.vti")
    done = microgen("describe", "a.vti")
    assert done.code == 4
    assert "states voxels of 1e-300 µm" in done.err


def test_coefficients_beyond_all_measure_are_no_error_of_arithmetic(microgen) -> None:
    flags = ["--coefficients", 1, 1, 1, "1e300", 0, 0, "--mass", -0.5, "--shape", 20, 20, "--out", "o.npy"]
    done = microgen("curvatubes", *flags)
    assert done.code == 5
    assert "Warning" not in done.err


def test_the_dry_run_of_an_atlas_holds_its_law(microgen) -> None:
    dry = microgen(*ATLAS, "--prior.curvature", 20, "--samples", 3, "--dry-run")
    Path("run.toml").write_text(dry.out)
    again = microgen("atlas", "--config", "run.toml", "--dry-run", "--json").json
    assert again["settings"]["prior"]["curvature"] == 20
    assert again["outputs"] == ["o.csv", "o_pictures"]
