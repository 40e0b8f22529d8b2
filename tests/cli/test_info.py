"""`microgen info`: what was understood of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCAN = ROOT / "data" / "dual_phase.ang"


def test_scan_object_agrees_with_the_truth(microgen) -> None:
    truth = json.loads((ROOT / "data" / "dual_phase.truth.json").read_text())
    scan = microgen("info", SCAN, "--json").json["scan"]
    assert {"file", "grid", "step_um", "points", "indexed_fraction", "phases", "grains", "interior_grains"} <= set(scan)
    assert (scan["grid"], scan["step_um"], scan["points"]) == ("square", 0.5, truth["points"])
    assert scan["indexed_fraction"] == pytest.approx(1 - truth["not_indexed"] / truth["points"], abs=1e-9)
    assert scan["phases"] == ["Austenite", "Ferrite"]
    assert scan["grains"] == pytest.approx(truth["grains"], rel=0.03)


def test_reader_is_told_the_same(microgen) -> None:
    done = microgen("info", SCAN)
    assert done.code == 0
    for word in ("square, step 0.5 µm", "32256, 98.3% indexed", "Austenite", "above 5°", "at least 10 points"):
        assert word in done.out


def test_clean_up_can_be_changed(microgen) -> None:
    few = microgen("info", SCAN, "--json", "--min-pixels", 200, "--threshold", 10).json["scan"]
    assert few["grains"] < microgen("info", SCAN, "--json").json["scan"]["grains"] / 2


def test_hexagonal_map_with_few_grains_warns(microgen, real_data: Path) -> None:
    done = microgen("info", real_data / "ebsd" / "pythonebsd_EBSD.ang")
    assert "hexagonal, step 0.2 µm" in done.out
    assert "only 3 grains lie inside" in done.out


@pytest.mark.parametrize("name", ["rve.tif", "rve.vti"])
def test_volume(name: str, microgen, sample_folder: Path) -> None:
    volume = microgen("info", sample_folder / name, "--json").json["volume"]
    assert volume["grid"] == {"shape": [24, 20, 16], "spacing_um": [0.5] * 3, "periodic": [True, True, False]}
    assert (volume["grains"], volume["provenance"]["command"]) == (20, "polycrystal")


def test_grain_table(microgen, sample_folder: Path) -> None:
    table = microgen("info", sample_folder / "rve.csv", "--json").json["table"]
    assert (table["grains"], table["box_um"], table["rebuildable"]) == (20, [12.0, 10.0, 8.0], True)
