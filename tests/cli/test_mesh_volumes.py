"""Meshes without gaps from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvista

from microgen import Grid, Polycrystal, write


@pytest.fixture
def rve(microgen) -> Path:  # which is at home in a folder of its own
    sample = Polycrystal(20, tolerance=0.05).sample(Grid((24, 24, 24), (1.5,) * 3, periodic=(True,) * 3), seed=1)
    write(sample, "rve.vti")
    return Path("rve.vti")


def test_tetrahedra_of_a_polycrystal(rve: Path, microgen) -> None:
    done = microgen("mesh", rve, "rve.vtu", "rve.vtp", "--json")
    assert done.code == 0, done.err
    assert done.json["outputs"] == ["rve.vtu", "rve.vtp"]
    told, found = done.json["mesh"], pyvista.read("rve.vtu")
    assert told["tetrahedra"] == found.n_cells
    assert told["labels"] == 20
    assert told["volume_error_max"] < 0.01
    assert found.volume == pytest.approx(36.0**3, rel=1e-5)
    assert "none inverted" in done.err
    assert "mesh" in Path("rve.vtu.json").read_text()


def test_larger_elements_make_fewer_and_can_be_made_again(rve: Path, microgen) -> None:
    done = microgen("mesh", rve, "rve.msh", "--element", 2, "--json")
    assert done.code == 0, done.err
    assert 5 * 12**3 < done.json["mesh"]["tetrahedra"] <= 12 * 12**3
    again = microgen("rerun", "rve.msh", "--out", "again.msh")
    assert again.code == 0, again.err


def test_one_phase_of_a_solid_and_a_surface_beside_it(microgen) -> None:
    values = np.zeros((16, 16, 16), np.uint8)
    values[4:12, 4:12, 4:12] = 200
    np.save("cube.npy", values)
    flags = ["--grey-threshold", 100, "--spacing", "2um"]
    done = microgen("mesh", "cube.npy", "cube.vtu", "cube.stl", *flags, "--json")
    assert done.code == 0, done.err
    assert pyvista.read("cube.vtu").volume == pytest.approx(16.0**3, rel=0.003)
    assert done.json["watertight"]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--element", 0.5], "--element"),
        (["--element", 11], "get lost"),
        (["--size-mm", 3], "--size-mm"),
        (["--mesher", "tetgen"], "--mesher"),
    ],
)
def test_what_cannot_be_meshed_is_refused(rve: Path, flags: list, word: str, microgen) -> None:
    done = microgen("mesh", rve, "rve.vtu", *flags)
    assert done.code == 2
    assert word in done.err
    assert not Path("rve.vtu").exists()


@pytest.mark.parametrize(
    ("out", "flags"),
    [
        ("a.vtu", ["--clip", "sphere"]),
        ("a.vtu", ["--shell-mm", 0.1]),
        ("a.vtu", ["--printer", "sla"]),
        ("a.vtp", ["--density", 1.2]),
        ("a.msh", ["--explode", 2]),
        ("a.3mf", ["--element", 2]),
        ("a.vtu", ["--each-grain"]),
        ("a.3mf", ["--mesher", "gmsh"]),
        ("a.vtp", ["--mesher", "gmsh"]),
    ],
)
def test_a_flag_that_no_output_uses_is_refused(rve: Path, out, flags, microgen) -> None:
    done = microgen("mesh", rve, out, *flags)
    assert done.code == 2
    assert flags[0] in done.err
    assert not Path(out).exists()


def test_one_of_several_outputs_is_made_again_with_the_flags_of_all(rve: Path, microgen) -> None:
    assert microgen("mesh", rve, "b.vtu", "b.3mf", "--density", 1.2, "--element", 2).code == 0
    for name in ("b.vtu", "b.3mf"):
        again = microgen("rerun", name)
        assert again.code == 0, again.err
