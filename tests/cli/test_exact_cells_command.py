"""`microgen polycrystal --cells laguerre`: exact cells, their files, and what they refuse."""

from __future__ import annotations

from microgen import read, read_provenance
from tests.cli.conftest import SMALL


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


def test_long_grains_and_planes_are_refused(microgen) -> None:
    long = microgen("polycrystal", *SMALL, "--cells", "laguerre", "--aspect-ratio.mean", 2, "--out", "a.tess")
    assert long.code == 2
    assert "aspect_ratio.mean" in long.err.replace("-", "_")
    flat = microgen("polycrystal", "--shape", 20, 20, "--grains", 9, "--cells", "laguerre", "--out", "a.tif")
    assert flat.code == 2
    curved = microgen("polycrystal", *SMALL, "--out", "a.tess")
    assert curved.code == 2
    assert "--cells laguerre" in curved.err
