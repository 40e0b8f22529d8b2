"""The main job: the bare command on a scan, looked at from all sides. It runs once, as the fit takes some seconds."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from microgen_cli.main import main

from microgen import read, read_provenance
from microgen.provenance import sha256

SCAN = Path(__file__).parents[2] / "data" / "dual_phase.ang"
RUN = ["polycrystal", "--ebsd", "scan.ang", "--grains", "150", "--shape", "48", "48", "48"]
NAMES = ["scan_rve.tif", "scan_rve.vti", "scan_rve.csv", "scan_rve_report.html"]


@dataclass(frozen=True)
class Job:
    folder: Path
    code: int
    result: dict[str, Any]
    told: str


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("job")
    (folder / "scan.ang").write_bytes(SCAN.read_bytes())
    before = Path.cwd()
    os.chdir(folder)
    patch = pytest.MonkeyPatch()
    out, err = (folder / "out").open("w+"), (folder / "err").open("w+")
    patch.setattr("sys.stdout", out)
    patch.setattr("sys.stderr", err)
    try:
        code = main([*RUN, "--json"])
    finally:
        patch.undo()
        os.chdir(before)
        out.close()
        err.close()
    return Job(folder, code, json.loads((folder / "out").read_text()), (folder / "err").read_text())


def test_bare_command_writes_four_files_named_after_the_scan(job: Job) -> None:
    assert job.code == 0
    assert job.result["outputs"] == NAMES
    assert all((job.folder / name).stat().st_size > 0 for name in NAMES)
    assert not list(job.folder.glob("*.part"))


def test_json_has_scan_and_statistics(job: Job) -> None:
    scan = job.result["scan"]
    assert (scan["grid"], scan["step_um"], scan["points"], scan["phases"]) == (
        "square",
        0.5,
        32256,
        ["Austenite", "Ferrite"],
    )
    fields = {"target", "achieved", "distance", "noise_floor", "noise_floor_p95", "in_objective"}
    assert all(fields <= set(statistic) for statistic in job.result["statistics"].values())
    assert {s["in_objective"] for s in job.result["statistics"].values()} == {True, False}


def test_what_was_understood_comes_first_and_the_table_last(job: Job) -> None:
    words = [
        "square, step 0.5 µm",
        "98.3% indexed",
        "Austenite",
        "above 5°",
        "fitting",
        "150 grains on 48",
        "noise floor",
    ]
    places = [job.told.index(word) for word in words]
    assert places == sorted(places)


def test_sample_has_the_phases_of_the_scan(job: Job) -> None:
    sample = read(job.folder / "scan_rve.vti")
    assert [p.name for p in sample.phases] == ["Austenite", "Ferrite"]
    assert (sample.phase_id == 0).mean() == pytest.approx(0.5625, abs=0.05)


def test_provenance_holds_the_hash_the_choices_and_the_figures(job: Job) -> None:
    made = read_provenance(job.folder / "scan_rve.tif")
    assert made.inputs == {"scan.ang": sha256(SCAN)}
    assert (made.configuration["threshold"], made.configuration["min_pixels"]) == (5.0, 10)
    assert made.achieved["statistics"].keys() == job.result["statistics"].keys()


def test_page_stands_alone(job: Job) -> None:
    page = (job.folder / "scan_rve_report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "aspect ratio" in page


def test_rerun_needs_no_fit_and_gives_the_same_bits(job: Job, microgen) -> None:
    done = microgen("rerun", job.folder / "scan_rve.tif", "--out", "again.tif", "--json")
    assert (done.code, done.json["identical"]) == (0, True)
    assert np.array_equal(read(Path("again.tif")).phase_id, read(job.folder / "scan_rve.tif").phase_id)


def test_changed_scan_is_told_at_rerun(job: Job, microgen) -> None:
    for name in ("scan_rve.tif", "scan_rve.tif.json"):
        Path(name).write_bytes((job.folder / name).read_bytes())
    Path("scan.ang").write_text("another scan\n")
    assert "has changed since" in microgen("rerun", "scan_rve.tif", "--quiet").err


def test_second_run_refuses_and_resume_accepts_what_is_there(job: Job, microgen, monkeypatch) -> None:
    monkeypatch.chdir(job.folder)
    assert microgen(*RUN).code == 3
    done = microgen(*RUN, "--resume", "--json")
    assert done.code == 0
    assert done.json["statistics"] == job.result["statistics"]


def test_dry_run_tells_size_and_memory_only(job: Job, microgen, monkeypatch) -> None:
    monkeypatch.chdir(job.folder)
    before = sorted(os.listdir())
    dry = microgen(*RUN, "--dry-run", "--json").json
    assert (dry["grid"]["shape"], dry["grains"], dry["dry_run"]) == ([48, 48, 48], 150, True)
    assert dry["memory_bytes"] > 48**3
    assert sorted(os.listdir()) == before


def test_a_plane_from_a_scan_is_refused(microgen) -> None:
    assert microgen("polycrystal", "--ebsd", SCAN, "--shape", 64, 64).code == 2
