"""The synthetic scan that is part of the project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from microgen import Microstructure
from microgen.io import read
from microgen.provenance import sha256
from microgen.segmentation import segment_grains

DATA = Path(__file__).parents[2] / "data"
TRUTH = json.loads((DATA / "dual_phase.truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def scan() -> Microstructure:
    return read(DATA / "dual_phase.ang")


def test_file_is_the_one_its_truth_was_written_for() -> None:
    assert sha256(DATA / "dual_phase.ang") == TRUTH["sha256"]
    assert (DATA / "dual_phase.ang").stat().st_size < 2.5e6


def test_scan_has_its_points_and_phases(scan: Microstructure) -> None:
    assert scan.grid.size == TRUTH["points"]
    assert np.count_nonzero(scan.phase_id < 0) == TRUTH["not_indexed"]
    assert 0.01 < TRUTH["not_indexed"] / TRUTH["points"] < 0.02
    assert {phase.name for phase in scan.phases} == {*TRUTH["phase_fraction"]}


def test_grains_are_found_again(scan: Microstructure) -> None:
    found = segment_grains(scan)
    assert found.grains is not None
    # Neighbours that differ by less than 5° by chance are one grain in the scan.
    assert len(found.grains) == pytest.approx(TRUTH["grains"], abs=4)
    for k, phase in enumerate(scan.phases):
        assert np.mean(found.phase_id == k) == pytest.approx(TRUTH["phase_fraction"][phase.name], abs=0.005)
