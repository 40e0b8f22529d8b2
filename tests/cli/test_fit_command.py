"""Fits from the command line: a texture to a volume, laws to a scan; trials that are kept, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from microgen_cli.main import main

from microgen import Grid, Microstructure, Phase, read, read_provenance, write

pytestmark = pytest.mark.usefixtures("small_search")
SAMPLE = Path(__file__).parents[2] / "data" / "dual_phase.ang"


@pytest.fixture(scope="module")
def fitted(small_search: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume made by microgen, and a small fit to it."""
    folder = tmp_path_factory.mktemp("fit")
    volume = ["--preset", "tubes", "--shape", "56", "56", "56", "--spacing", "5", f"--out={folder / 'uct.tif'}"]
    assert main(["curvatubes", *volume, "--quiet"]) == 0
    assert main(["curvatubes", *command(folder), f"--report={folder / 'rve.html'}"]) == 0
    return folder


def command(folder: Path, *more: str) -> list[str]:
    files = [f"--uct={folder / 'uct.tif'}", f"--out={folder / 'rve.tif'}", f"--out={folder / 'rve.stl'}"]
    return [*files, "--fit", "5", "--quiet", *more]


def test_a_fit_says_what_it_found_and_writes_a_sample(fitted: Path) -> None:
    sample, made = read(fitted / "rve.tif"), read_provenance(fitted / "rve.tif")
    assert sample.grid.spacing == (5.0, 5.0, 5.0)
    assert sample.grid.shape == (28, 28, 28)
    found = made.achieved["fit"]
    assert found["status"] in ("inside", "budget")
    assert 0 < found["value"] < 10
    assert {"mass", "dx", "reduced.kg"} <= set(found["estimates"])
    comparison = made.achieved["comparison"]
    assert comparison["volume_fraction"]["distance"] < 0.1
    assert not comparison["separation"]["in_objective"]
    page = (fitted / "rve.html").read_text()
    assert "Does the sample match the volume?" in page
    assert "What the fit found" in page


def test_trials_are_kept_and_taken_up_again(fitted: Path, microgen) -> None:
    trials = fitted / "rve_trials.jsonl"
    rows = [json.loads(line) for line in trials.read_text().splitlines()[1:]]
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["stage"] for row in rows[-9:]] == ["fresh"] * 9
    before = read(fitted / "rve.tif").phase_id
    (fitted / "rve.tif").unlink()
    whole = trials.read_bytes()
    trials.write_bytes(whole[: len(whole) * 4 // 5])  # as if it had been stopped while it wrote
    done = microgen("curvatubes", *command(fitted, "--resume"))
    assert done.code == 0, done.err
    again = [json.loads(line) for line in trials.read_text().splitlines()[1:]]
    assert [row["value"] for row in again] == [row["value"] for row in rows]
    assert (read(fitted / "rve.tif").phase_id == before).all()


def test_trials_of_another_fit_are_refused(fitted: Path, microgen) -> None:
    done = microgen("curvatubes", *command(fitted, "--overwrite", "--resume", "--seed", "1"))
    assert done.code == 3
    assert "another" in done.err


def test_a_sample_of_a_fit_can_be_made_again(fitted: Path, microgen) -> None:
    done = microgen("rerun", fitted / "rve.tif", "--out", "again.tif")
    assert done.code == 0, done.err


def test_a_dry_run_makes_nothing(fitted: Path, microgen) -> None:
    done = microgen("curvatubes", f"--uct={fitted / 'uct.tif'}", "--out", "x.tif", "--dry-run", "--json")
    assert done.code == 0
    assert done.json["dry_run"]
    assert done.json["grid"]["shape"] == [28, 28, 28]
    assert not list(Path().iterdir())


def test_files_that_do_not_fit_are_refused_before_the_fit(fitted: Path, microgen) -> None:
    np.save("mask.npy", np.ones((10, 10, 10), np.int32))
    for dry in ([], ["--dry-run"]):
        done = microgen("curvatubes", f"--uct={fitted / 'uct.tif'}", "--mask", "mask.npy", "--out", "x.tif", *dry)
        assert done.code == 2, done.err
        assert "28 x 28 x 28 voxels" in done.err
        assert "fitting" not in done.err


def test_laws_are_searched_and_the_findings_told(microgen) -> None:
    done = microgen(
        *("polycrystal", "--ebsd", SAMPLE, "--fit", 6, "--grains", 100, "--shape", 32, 32, 32),
        *("--free", "size.mean", "aspect-ratio.mean", "--size.cv", 0.4, "--out", "rve.tif", "--json"),
    )
    assert done.code == 0, done.err
    found = done.json["fit"]
    assert set(found["estimates"]) == {"size.mean", "aspect_ratio.mean"}
    assert read_provenance("rve.tif.json").configuration["size"]["cv"] == 0.4  # what is given is not searched for
    assert found["samples"] == 15
    assert "of p95 on fresh seeds" in done.err
    assert len(Path("rve_trials.jsonl").read_text().splitlines()) == 16
    assert done.json["statistics"]["boundary_misorientation.Ferrite"]["in_objective"]


@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        (["--uct", "none.tif"], 4, "does not exist"),
        (["--uct", "solid.tif"], 2, "solid everywhere"),
        (["--uct", "two.tif", "--fit", "some"], 2, "--fit"),
        (["--uct", "two.tif", "--fit", "2"], 2, "--fit"),
        (["--uct", "two.tif", "--preset", "tubes"], 2, "--uct"),
        (["--uct", "two.tif", "--free", "reduced.x"], 2, "free"),
        (["--uct", "small.tif"], 2, "at least 32"),
    ],
)
def test_what_cannot_be_fitted(flags: list[str], code: int, word: str, microgen) -> None:
    for name, n, full in (("solid", 40, 1.0), ("two", 40, 0.5), ("small", 20, 0.5)):
        values = np.random.default_rng(0).random((n,) * 3) < full
        write(volume(values), f"{name}.tif")
    done = microgen("curvatubes", *flags, "--out", "x.tif")
    assert done.code == code, done.err
    assert word in done.err
    assert not Path("x.tif").exists()


@pytest.mark.parametrize("flags", [["--free", "size.mean"], ["--fit", 6, "--free", "size"]])
def test_names_that_no_search_would_use(flags: list[str], microgen) -> None:
    done = microgen("polycrystal", "--ebsd", SAMPLE, *flags, "--out", "rve.tif")
    assert done.code == 2
    assert "free" in done.err


def volume(full: np.ndarray) -> Microstructure:
    phases = (Phase("solid"),)
    return Microstructure(Grid(full.shape, (2.0,) * 3), np.where(full, 0, -1).astype(np.int16), phases)
