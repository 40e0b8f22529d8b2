"""`microgen rerun`: the same arrays, bit for bit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microgen import read, write
from microgen.orientation import from_euler


@pytest.mark.parametrize("name", ["rve.tif", "rve.vti", "rve.tif.json"])
def test_same_arrays_from_any_output(name: str, microgen, sample_folder: Path) -> None:
    done = microgen("rerun", sample_folder / name, "--out", "again.tif", "--json")
    assert done.code == 0
    assert done.json["identical"] is True
    assert np.array_equal(read(Path("again.tif")).grain_id, read(sample_folder / "rve.tif").grain_id)  # type: ignore[arg-type]


def test_default_name_lies_beside_the_file(microgen, sample_folder: Path) -> None:
    for name in ("rve.tif", "rve.tif.json"):
        shutil.copy(sample_folder / name, name)
    assert microgen("rerun", "rve.tif").out == "rve_rerun.tif\n"


def test_changed_labels_are_noticed(microgen, sample_folder: Path) -> None:
    made = json.loads((sample_folder / "rve.tif.json").read_text())
    made["seed"] += 1
    Path("other.tif.json").write_text(json.dumps(made))
    shutil.copy(sample_folder / "rve.tif", "other.tif")
    assert microgen("rerun", "other.tif.json", "--out", "again.tif").code == 5


def test_turned_grains_are_noticed(microgen, sample_folder: Path) -> None:
    sample = read(sample_folder / "rve.vti")
    assert sample.orientation is not None
    assert sample.provenance is not None
    write(sample, "same.vti")
    write(replace(sample, orientation=from_euler(0.1, 0.0, 0.0) * np.ones_like(sample.orientation)), "turned.vti")
    assert microgen("rerun", "same.vti").code == 0
    assert microgen("rerun", "turned.vti").code == 5


def test_what_a_format_on_the_way_lost_is_not_asked_for(microgen) -> None:
    phases = [word for name in "ab" for word in ("--phases", f'{{"name": "{name}", "fraction": 0.5}}')]
    assert microgen("polycrystal", "--grains", 12, "--shape", 16, 16, 16, *phases, "--out", "a.vti").code == 0
    assert microgen("convert", "a.vti", "b.tesr").code == 0
    assert microgen("convert", "b.tesr", "c.vti").code == 0
    done = microgen("rerun", "c.vti")
    assert (done.code, "lost the rest" in done.err) == (0, True)


def test_no_output_is_written_beside_one_that_cannot_be(microgen, sample_folder: Path) -> None:
    done = microgen("rerun", sample_folder / "rve.tif", "--out", "a.tif", "--out", "b.stl")
    assert (done.code, "--each-grain" in done.err, Path("a.tif").exists()) == (2, True, False)


def test_an_ensemble_member_comes_again(microgen) -> None:
    run = ["polycrystal", "--grains", 12, "--shape", 16, 16, 16, "--out", "m.tif", "--samples", 2]
    assert microgen(*run).code == 0
    assert microgen("rerun", "m_0002.tif", "--json").json["identical"] is True


def test_a_rebuilt_volume_comes_again_while_its_table_is_unchanged(microgen, sample_folder: Path) -> None:
    shutil.copy(sample_folder / "rve.csv", "rve.csv")
    assert microgen("polycrystal", "--sites", "rve.csv", "--shape", 12, 10, 8, "--out", "r.tif").code == 0
    assert microgen("rerun", "r.tif", "--json").json["identical"] is True
    with Path("rve.csv").open("a") as table:
        table.write("\n")
    done = microgen("rerun", "r.tif", "--out", "s.tif")
    assert done.code == 4
    assert "has changed since" in done.err


@pytest.mark.parametrize("text", [None, "", "{}", '{"command": "polycrystal"}', "[1"], ids=str)
def test_files_without_a_usable_provenance_are_4(text: str | None, microgen) -> None:
    if text is not None:
        Path("x.tif.json").write_text(text)
    assert microgen("rerun", "x.tif.json", "--out", "again.tif").code == 4


def test_another_version_is_told(microgen, sample_folder: Path) -> None:
    made = json.loads((sample_folder / "rve.tif.json").read_text()) | {"version": "0.0.1"}
    Path("rve.tif.json").write_text(json.dumps(made))
    assert "made by version 0.0.1" in microgen("rerun", "rve.tif.json", "--out", "again.tif", "--quiet").err


@pytest.mark.parametrize("suffix", ["npz", "vti"])
def test_parts_come_again(suffix: str, microgen, sample_folder: Path) -> None:
    sample = read(sample_folder / "rve.vti")
    write(sample.crop((2, 3, 4), (14, 12, 13)).section(1, 5), f"part.{suffix}")
    done = microgen("rerun", f"part.{suffix}", "--json")
    assert done.code == 0
    assert done.json["identical"] is True
    assert np.array_equal(read(Path(f"part_rerun.{suffix}")).grain_id, sample.grain_id[2:14, 8, 4:13])  # type: ignore[arg-type]
