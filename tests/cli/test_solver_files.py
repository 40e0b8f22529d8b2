"""Files for solvers from the command: all files of a format are named, kept together and refused early."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import read

RUN = ["polycrystal", "--grains", "12", "--shape", "16", "16", "16"]
DAMASK = ["rve.damask.vti", "rve.material.yaml"]


def test_both_files_of_damask_are_named_and_made_again(microgen) -> None:
    done = microgen(*RUN, "--out", "rve.damask.vti", "--json")
    assert (done.code, done.json["outputs"]) == (0, DAMASK)
    assert sorted(path.name for path in Path().iterdir()) == [DAMASK[0], "rve.damask.vti.json", DAMASK[1]]
    again = microgen("rerun", "rve.damask.vti", "--json")
    assert again.json["outputs"] == ["rve_rerun.damask.vti", "rve_rerun.material.yaml"]
    assert again.json["identical"]
    assert Path("rve_rerun.material.yaml").read_text() == Path("rve.material.yaml").read_text()


def test_members_have_both_files_and_a_missing_one_is_made_again(microgen) -> None:
    run = [*RUN, "--out", "rve.damask.vti", "--samples", 2]
    files = [name.replace("rve", f"rve_000{k}") for k in (1, 2) for name in DAMASK]
    assert microgen(*run, "--json").json["outputs"][:4] == files
    labels = read(files[2]).grain_id
    Path(files[3]).unlink()
    assert microgen(*run, "--resume").code == 0
    assert Path(files[3]).is_file()
    assert np.array_equal(read(files[2]).grain_id, labels)  # type: ignore[arg-type]


def test_the_second_file_of_others_is_not_touched(microgen) -> None:
    Path("rve.material.yaml").write_text("mine")
    assert microgen(*RUN, "--out", "rve.damask.vti").code == 3
    assert [path.name for path in Path().iterdir()] == ["rve.material.yaml"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["polycrystal", "--grains", 9, "--shape", 16, 16, "--out", "rve.damask.vti"], "3 numbers of voxels"),
        (["curvatubes", "--preset", "sponge", "--shape", 24, 24, 24, "--out", "a.damask.vti"], "needs no grains"),
    ],
)
def test_formats_that_cannot_hold_a_sample_are_refused_before_it_is_made(microgen, argv: list, said: str) -> None:
    done = microgen(*argv, "--dry-run")
    assert done.code == 2
    assert said in done.err


def test_lists_of_grains_are_understood_and_rebuilt(microgen) -> None:
    assert microgen(*RUN, "--periodic", "none", "--out", "a.txt", "--out", "b.csv", "--format", "dream3d-csv").code == 0
    for name in ("a.txt", "b.csv"):
        told = microgen("info", name, "--json").json["table"]
        assert (told["grains"], told["rebuildable"]) == (12, True)
    done = microgen("polycrystal", "--sites", "a.txt", "--shape", 20, 20, 20, "--out", "c.tif", "--json")
    assert done.code == 0
    assert done.json["grains"] == 12


def test_every_solver_has_its_file(microgen) -> None:
    names = ["a.inp", "a.msh", "a.e", "a.tesr", "a.dream3d", "a.spparks", "a.damask.vti"]
    done = microgen(*RUN, *(word for name in names for word in ("--out", name)), "--json")
    assert done.json["outputs"] == [*names, "a.material.yaml"]
    for name in ("a.tesr", "a.dream3d", "a.damask.vti"):
        assert microgen("info", name, "--json").json["volume"]["grains"] == 12
    assert microgen("rerun", "a.inp", "--format", "abaqus-periodic", "--out", "b.inp").code == 0
    assert "*EQUATION" in Path("b.inp").read_text()
