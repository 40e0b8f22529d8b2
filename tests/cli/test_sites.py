"""`--sites`: a volume again from its grain table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import Grid, Polycrystal, read, write


def test_the_same_grid_gives_the_same_labels(microgen, sample_folder: Path) -> None:
    assert microgen("polycrystal", "--sites", sample_folder / "rve.csv", "--out", "again.tif").code == 0
    before, after = read(sample_folder / "rve.tif"), read(Path("again.tif"))
    assert np.array_equal(before.grain_id, after.grain_id)  # type: ignore[arg-type]
    assert after.grid == before.grid
    assert [p.name for p in after.phases] == [p.name for p in before.phases]


@pytest.mark.parametrize("flags", [["--shape", 48, 40, 32], ["--spacing", "250nm"]], ids=["shape", "spacing"])
def test_a_finer_grid_keeps_the_volumes(flags, microgen, sample_folder: Path) -> None:
    assert microgen("polycrystal", "--sites", sample_folder / "rve.csv", *flags, "--out", "fine.tif").code == 0
    coarse, fine = read(sample_folder / "rve.tif"), read(Path("fine.tif"))
    assert fine.grid.shape == (48, 40, 32)
    shares = [np.bincount(ms.grain_id.ravel(), minlength=21)[1:] / ms.grid.size for ms in (coarse, fine)]  # type: ignore[union-attr]
    assert np.abs(shares[0] - shares[1]).max() < 0.005


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--shape", 24, 20, 16, "--spacing", 0.7], 2),
        (["--shape", 24, 20], 2),
        (["--grains", 30], 2),
        (["--samples", 2], 2),
        (["--ebsd", "scan.ang"], 2),
    ],
    ids=["disagree", "plane", "laws", "ensemble", "scan"],
)
def test_what_does_not_go_with_a_table_is_refused(flags, code, microgen, sample_folder: Path) -> None:
    assert microgen("polycrystal", "--sites", sample_folder / "rve.csv", *flags, "--out", "a.tif").code == code
    assert not Path("a.tif").exists()


@pytest.mark.parametrize(
    "text", ["", "grain_id,x\n1,2\n", "# box_um=1,1,1 periodic=xyz\n"], ids=["empty", "head", "cut"]
)
def test_damaged_tables_are_4(text: str, microgen) -> None:
    Path("t.csv").write_text(text)
    assert microgen("polycrystal", "--sites", "t.csv", "--shape", 8, 8, 8, "--out", "a.tif").code == 4


def test_resume_keeps_a_rebuilt_volume_and_refuses_another(microgen, sample_folder: Path) -> None:
    run = ["polycrystal", "--sites", sample_folder / "rve.csv", "--out", "a.tif", "--resume"]
    assert microgen(*run).code == 0
    before = Path("a.tif").stat().st_mtime_ns
    assert microgen(*run).code == 0
    assert microgen(*run, "--shape", 12, 10, 8).code == 3
    assert Path("a.tif").stat().st_mtime_ns == before


def test_a_table_without_weights_is_solved_and_made_again(microgen, sample_folder: Path) -> None:
    head, names, *rows = (sample_folder / "rve.csv").read_text().splitlines()
    column = names.split(",").index("weight")
    bare = [",".join("" if k == column else cell for k, cell in enumerate(row.split(","))) for row in rows]
    Path("bare.csv").write_text("\n".join([head, names, *bare]) + "\n")
    told = microgen(
        "polycrystal", "--sites", "bare.csv", "--shape", 24, 20, 16, "--tolerance", 0.05, "--json", "--out", "a.csv"
    )
    assert (told.code, told.json["grains"]) == (0, 20)
    assert max(told.json["volume_error_max_400"], told.json["subvoxel_error_max"]) < 0.05
    assert len(Path("a.csv").read_text().splitlines()) == 22
    assert microgen("rerun", "a.csv", "--out", "b.csv").code == 0
    assert Path("a.csv").read_text() == Path("b.csv").read_text()


def test_a_box_that_begins_elsewhere_comes_again_there(microgen) -> None:
    grid = Grid((24, 20, 16), (1.0, 1.5, 2.0), origin=(100.0, 50.0, -20.0), periodic=(True, False, True))
    sample = Polycrystal(30).sample(grid, seed=1)
    write(sample, "a.csv")
    for flags in ([], ["--shape", 24, 20, 16]):
        assert microgen("polycrystal", "--sites", "a.csv", *flags, "--out", "b.npz", "--overwrite").code == 0
        again = read(Path("b.npz"))
        assert again.grid == grid
        assert np.array_equal(again.grain_id, sample.grain_id)  # type: ignore[arg-type]
    assert microgen("rerun", "b.npz", "--json").json["identical"] is True


@pytest.mark.parametrize("flags", [[], ["--shape", 24, 20, 16]], ids=["alone", "shape"])
def test_a_list_without_a_box_is_put_where_it_was_made(flags, microgen, sample_folder: Path) -> None:
    sample = read(sample_folder / "rve.vti")
    assert microgen("convert", sample_folder / "rve.vti", "a.txt").code == 0
    assert microgen("polycrystal", "--sites", "a.txt", *flags, "--out", "b.npz").code == 0
    again = read(Path("b.npz"))
    assert again.grid.lengths == sample.grid.lengths  # type: ignore[union-attr]
    assert again.grid.periodic == sample.grid.periodic  # type: ignore[union-attr]
    volumes = [np.bincount(ms.grain_id.ravel(), minlength=21)[1:] for ms in (sample, again)]  # type: ignore[union-attr]
    assert np.abs(volumes[1] / volumes[0] - 1)[volumes[0] >= 400].max() <= 0.01
    assert (sample.grain_id == again.grain_id).mean() > 0.85  # type: ignore[union-attr]
    assert microgen("rerun", "b.npz", "--json").json["identical"] is True


def test_a_list_of_an_unknown_box_says_so(microgen, sample_folder: Path) -> None:
    assert microgen("convert", sample_folder / "rve.vti", "a.txt").code == 0
    Path("a.txt.json").unlink()
    assert microgen("polycrystal", "--sites", "a.txt", "--out", "b.npz").code == 2
    done = microgen("polycrystal", "--sites", "a.txt", "--shape", 24, 20, 16, "--out", "b.npz")
    assert done.code == 0
    assert "tells no box" in done.err


@pytest.mark.parametrize("origin", ["1,2", "a,b,c", "1,2,inf"])
def test_an_origin_that_is_none_is_4(origin: str, microgen, sample_folder: Path) -> None:
    text = (sample_folder / "rve.csv").read_text()
    first, rest = text.split("\n", 1)
    Path("t.csv").write_text(f"{first} origin_um={origin}\n{rest}")
    assert microgen("polycrystal", "--sites", "t.csv", "--shape", 8, 8, 8, "--out", "a.tif").code == 4
