"""`--samples N`: numbered files, resumable, one table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from microgen import read

RUN = ["polycrystal", "--grains", "12", "--shape", "16", "16", "16", "--out", "rve.tif", "--out", "rve.csv"]


def test_members_are_numbered_differ_and_are_summed_up(microgen) -> None:
    done = microgen(*RUN, "--samples", 2, "--json")
    assert done.code == 0
    assert done.json["outputs"][:4] == ["rve_0001.tif", "rve_0001.csv", "rve_0002.tif", "rve_0002.csv"]
    one, two = (read(Path(f"rve_000{k}.tif")).grain_id for k in (1, 2))
    assert not np.array_equal(one, two)  # type: ignore[arg-type]
    rows = list(csv.DictReader(Path("rve_samples.csv").read_text().splitlines()))
    assert [row["member"] for row in rows] == ["1", "2"]
    assert [int(row["grains"]) for row in rows] == [12, 12]


def test_resume_makes_only_what_is_missing_and_the_same(microgen) -> None:
    assert microgen(*RUN, "--samples", 2).code == 0
    first, second = (Path(f"rve_000{k}.tif") for k in (1, 2))
    before, labels = first.stat().st_mtime_ns, read(second).grain_id
    second.unlink()
    assert microgen(*RUN, "--samples", 2, "--resume").code == 0
    assert first.stat().st_mtime_ns == before
    assert np.array_equal(read(second).grain_id, labels)  # type: ignore[arg-type]


def test_one_member_alone_is_the_same_member(microgen) -> None:
    assert microgen(*RUN, "--samples", 2).code == 0
    labels = read(Path("rve_0002.tif")).grain_id
    assert microgen(*RUN, "--samples", 2, "--member", 2, "--overwrite").code == 0
    assert np.array_equal(read(Path("rve_0002.tif")).grain_id, labels)  # type: ignore[arg-type]


def test_existing_members_stop_the_run_before_it_starts(microgen) -> None:
    Path("rve_0002.tif").write_text("mine")
    assert microgen(*RUN, "--samples", 2).code == 3
    assert Path("rve_0002.tif").read_text() == "mine"
    assert not Path("rve_0001.tif").exists()


def test_members_of_another_run_are_not_taken_over(microgen) -> None:
    assert microgen(*RUN, "--samples", 1).code == 0
    assert microgen(*RUN, "--samples", 1, "--size.cv", 0.1, "--resume").code == 3


def test_member_beyond_the_ensemble_is_refused(microgen) -> None:
    assert microgen(*RUN, "--samples", 2, "--member", 3).code == 2
