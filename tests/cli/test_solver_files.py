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
