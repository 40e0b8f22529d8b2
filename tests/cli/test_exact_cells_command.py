"""`microgen polycrystal --cells laguerre`: exact cells, their files, and what they refuse."""

from __future__ import annotations

from pathlib import Path

from microgen import read, read_provenance
from tests.cli.conftest import SMALL

SAMPLE = Path(__file__).parents[2] / "data" / "dual_phase.ang"


def test_cells_are_exact_and_written_as_polyhedra(microgen) -> None:
    outs = ("--out", "a.tess", "--out", "a.vtu", "--out", "a.tif", "--out", "a.csv")
    done = microgen("polycrystal", *SMALL, "--cells", "laguerre", *outs, "--json")
    assert done.code == 0
    assert done.json["exact_error_max"] <= 1e-6
    assert "worst cell off by" in done.err
    assert read_provenance("a.tess").configuration["cells"] == "laguerre"
    again = microgen("polycrystal", "--sites", "a.csv", "--out", "b.tif")
    assert again.code == 0
    assert (read("a.tif").grain_id == read("b.tif").grain_id).all()  # type: ignore[union-attr]
    assert microgen("rerun", "a.tif", "--out", "c.tess").code == 0


def test_beside_a_scan_they_are_equiaxed_and_that_is_said(microgen, small_search) -> None:
    shape = ("--grains", 60, "--shape", 30, 30, 30)
    done = microgen("polycrystal", "--ebsd", SAMPLE, *shape, "--cells", "laguerre", "--out", "a.tif", "--json")
    assert done.code == 0, done.err
    assert "exact cells have no axes" in done.err
    assert done.json["exact_error_max"] <= 1e-6
    assert read_provenance("a.tif").configuration["aspect_ratio"]["mean"] == 1
    assert microgen("rerun", "a.tif", "--out", "b.tif").code == 0


def test_long_grains_and_planes_are_refused(microgen) -> None:
    long = microgen("polycrystal", *SMALL, "--cells", "laguerre", "--aspect-ratio.mean", 2, "--out", "a.tess")
    assert long.code == 2
    assert "aspect_ratio.mean" in long.err.replace("-", "_")
    flat = microgen("polycrystal", "--shape", 20, 20, "--grains", 9, "--cells", "laguerre", "--out", "a.tif")
    assert flat.code == 2
    curved = microgen("polycrystal", *SMALL, "--out", "a.tess")
    assert curved.code == 2
    assert "--cells laguerre" in curved.err
