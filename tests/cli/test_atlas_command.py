"""`microgen atlas`: interrupted and gone on with, looked up in, and what is refused."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from microgen_cli.main import main

from microgen import read, read_atlas

SMALL = ["atlas", "--shape", "20", "20", "20", "--seed", "4", "--workers", "1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An atlas of four draws, without page."""
    folder = tmp_path_factory.mktemp("atlas")
    assert main([*SMALL, "--samples", "4", "--quiet", "--out", str(folder / "atlas.csv")]) == 0
    return folder / "atlas.csv"


def rows(path: Path) -> list[str]:
    """Lines of the table by sample, without the time each took."""
    return sorted(line.rpartition(",")[0] for line in path.read_text().splitlines()[2:])


def test_the_table_has_a_row_a_draw_and_a_picture_a_texture(made: Path) -> None:
    atlas = read_atlas(made)
    assert atlas.columns["sample"].tolist() == [1, 2, 3, 4]
    pictures = sorted(path.name for path in (made.parent / "atlas_pictures").iterdir())
    assert pictures == [f"{atlas.columns['sample'][k]:05d}.png" for k in atlas.formed]
    told = json.loads(Path(f"{made}.json").read_text())
    assert told["achieved"] == {"samples": 4, "formed": len(atlas.formed)}
    assert told["configuration"]["prior"]["curvature"] == 35


def test_an_interrupted_run_goes_on_to_the_same_table(made: Path, microgen, monkeypatch) -> None:
    from microgen_cli import atlas

    def stop_after_two(path: Path, row: dict) -> None:
        if row["sample"] == 3:
            raise KeyboardInterrupt
        keep(path, row)

    keep = atlas.append_row
    monkeypatch.setattr(atlas, "append_row", stop_after_two)
    assert microgen(*SMALL, "--samples", 4, "--out", "atlas.csv").code == 130
    monkeypatch.setattr(atlas, "append_row", keep)
    assert len(rows(Path("atlas.csv"))) == 2
    with open("atlas.csv", "a") as file:
        file.write("3,123,conv")
    done = microgen(*SMALL, "--samples", 4, "--out", "atlas.csv", "--resume")
    assert "2 of 4 samples are there already" in done.err
    assert rows(Path("atlas.csv")) == rows(made)


def test_an_atlas_can_be_made_again(made: Path, microgen) -> None:
    done = microgen("rerun", made, "--out", "again.csv", "--json")
    assert done.code == 0, done.err
    assert (done.json["samples"], done.json["identical"]) == (4, True)
    assert rows(Path("again.csv")) == rows(made)
    names = [sorted(path.name for path in folder.iterdir()) for folder in (made.parent / "atlas_pictures", Path())]
    assert sorted(path.name for path in Path("again_pictures").iterdir()) == names[0]
    assert names[1] == ["again.csv", "again.csv.json", "again_pictures"]
    assert microgen("rerun", made, "--out", "again.csv").code == 3


def test_an_atlas_that_was_changed_is_told_from_its_rerun(made: Path, microgen) -> None:
    head, names, first = made.read_text().splitlines()[:3]
    cells = first.split(",")
    cells[names.split(",").index("mass")] = "-0.123"
    Path("atlas.csv").write_text("\n".join((head, names, ",".join(cells), "")))
    done = microgen("rerun", "atlas.csv")
    assert done.code == 5
    assert "the table differs from atlas.csv" in done.err
    assert Path("atlas_rerun.csv").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("seed", "x"), ("seed", None), ("prior", {}), ("prior", 3), ("eps", 1e-9), ("prior", {"q": 1})]
)
def test_an_atlas_with_a_damaged_head_is_not_made_again(name, value, made: Path, microgen) -> None:
    head, *rest = made.read_text().splitlines(keepends=True)
    mark, _, text = head.partition("{")
    settings = {**json.loads("{" + text), name: value}
    if value is None:
        del settings[name]
    Path("atlas.csv").write_text(mark + json.dumps(settings) + "\n" + "".join(rest[:2]))
    done = microgen("rerun", "atlas.csv")
    if value == {}:  # all defaults: the very law of the atlas
        assert done.code == 0
    else:
        assert done.code == 4
        assert "how to make it again" in done.err
        assert os.listdir() == ["atlas.csv"]


def test_its_command_makes_the_very_sample(made: Path, microgen) -> None:
    atlas = read_atlas(made)
    fraction = float(atlas.columns["volume_fraction"][atlas.formed[0]])
    wish = [f"volume_fraction={fraction!r}", "thickness=0.12mm"]
    done = microgen("atlas", "--find", *wish, "--atlas", made, "--nearest", 1, "--json")
    match = done.json["matches"][0]
    assert (match["number"], match["distance"]) == (atlas.columns["sample"][atlas.formed[0]], pytest.approx(0))
    assert microgen(*shlex.split(match["command"])[1:], "--out", "u.npy", "--quiet").code in (0, 5)
    assert float((np.load("u.npy") > 0).mean()) == fraction
    assert read(f"texture_{match['number']:04d}.tif").grid.spacing[0] == pytest.approx(match["spacing"], rel=1e-5)


def test_a_look_up_says_how_far_it_is(made: Path, microgen) -> None:
    done = microgen("atlas", "--find", "porosity=0.3", "--find", "kappa_1=30/mm", "--atlas", made)
    assert done.code == 0
    assert "the nearest texture is not near: porosity" in done.err
    assert done.out.splitlines()[0].split()[:4] == ["sample", "distance", "porosity", "kappa_1"]
    assert done.out.splitlines()[-1].startswith("microgen curvatubes --coefficients")


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--find", "thickness"], 2, "NAME=VALUE"),
        (["--find", "thikness=3"], 2, "one of porosity"),
        (["--find", "thickness=3kg"], 2, "a length"),
        (["--find", "kappa_1=30/mm3"], 2, "30/mm"),
        (["--find", "porosity=0.7um"], 2, "a plain number"),
        (["--find", "thickness=10", "--spacing", "10"], 2, "at most"),
        (["--find", "thickness=10", "--find", "thickness=11"], 2, "each statistic once"),
        (["--nearest", "3"], 2, "a wish"),
        (["--find", "porosity=0.7", "--dx", "0.01"], 2, "--dx"),
        (["--find", "correlation_6=0.1"], 2, "some texture"),
    ],
)
def test_bad_wishes_are_refused(made: Path, microgen, flags: list[str], code: int, words: str) -> None:
    done = microgen("atlas", *flags, "--atlas", made)
    assert done.code == code
    assert words in done.err


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--shape", "64", "64"], 2),
        (["--shape", "12", "12", "12"], 2),
        (["--out", "a.tif"], 2),
        (["--format", "ome"], 2),
        (["--samples", "0"], 2),
        (["--prior.mass", "-2", "0"], 2),
        (["--find", "thickness=3"], 2),
        (["--device", "cuda"], 3),
    ],
)
def test_bad_runs_leave_nothing(microgen, flags: list[str], code: int) -> None:
    assert microgen("atlas", "--out", "atlas.csv", *flags).code == code
    assert os.listdir() == []


def test_a_missing_atlas_cannot_be_read(microgen) -> None:
    done = microgen("atlas", "--find", "thickness=3")
    assert (done.code, "atlas.csv cannot be read" in done.err) == (4, True)


def test_dry_run_makes_nothing_and_can_be_run(microgen) -> None:
    dry = microgen(*SMALL, "--samples", 1000, "--out", "atlas.csv", "--dry-run")
    assert "1000 samples of 20 x 20 x 20 voxels" in dry.out
    assert os.listdir() == []
    Path("run.toml").write_text(dry.out)
    assert microgen("atlas", "--config", "run.toml", "--out", "atlas.csv", "--dry-run").out == dry.out


@pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is not installed")
def test_too_few_textures_for_a_map_keep_the_table(made: Path, microgen) -> None:
    shutil.copytree(made.parent, ".", dirs_exist_ok=True)
    done = microgen(*SMALL, "--samples", 4, "--resume")
    assert done.code == 5
    assert "a map needs 5" in done.err
    assert sorted(os.listdir()) == ["atlas.csv", "atlas.csv.json", "atlas_pictures"]
    assert rows(Path("atlas.csv")) == rows(made)
