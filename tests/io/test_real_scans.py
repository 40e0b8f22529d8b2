"""Every measured scan is read right, as its table in the data folder says, or refused by a typed error."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from microgen import Grid, HexGrid
from microgen.errors import MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.io import read
from microgen.orientation import misorientation_angle


class Fact(NamedTuple):
    grid: type
    shape: tuple[int, int]
    step: float
    points: int
    indexed: int
    phases: dict[str, str]


NI = {"Nickel": "m-3m"}
MG = {"Magnesium": "6/mmm"}
ZR = {"Zirc-alloy4": "6/mmm"}
FIVE = {"Copper": "m-3m", "Tin beta": "4/mmm", "Li2 Nb O F5": "-3m", "Li (Nb O3)": "-3m", "Iron bcc (old)": "m-3m"}
FACTS = {
    "ebsdlib_Out_Of_Order.ang": Fact(Grid, (189, 201), 0.25, 37989, 31063, NI),
    "ebsdlib_EdaxAngOnly.h5": Fact(Grid, (186, 151), 1.5, 28086, 28086, NI),
    "mtextools_MEA_60CR_1C.ctf": Fact(Grid, (500, 375), 0.96, 61735, 61735, {"Iron fcc": "m-3m"}),
    "mtextools_newTwins.cpr": Fact(Grid, (167, 137), 0.3, 22879, 22833, MG),
    "mtextools_newTwins.crc": Fact(Grid, (167, 137), 0.3, 22879, 22833, MG),
    "mtex_twins.ctf": Fact(Grid, (167, 137), 0.3, 22879, 22833, MG),
    "orixdata_sdss_ferrite_austenite.ang": Fact(
        Grid, (117, 100), 1.5, 11700, 11700, {"austenite": "m-3m", "ferrite": "m-3m"}
    ),
    # 2945 of its points have the angles 4π, which no orientation has: the confidence index alone would let them pass.
    "pythonebsd_EBSD.ang": Fact(HexGrid, (104, 231), 0.2, 23909, 23909 - 2945, {"Copper": "m-3m"}),
    "mtex_ACOM.ang": Fact(Grid, (15, 15), 0.002, 225, 225, {"Phase 22474944": "m-3m"}),
    "dialects/ebsdlib_GridMissing.ang": Fact(Grid, (40, 4), 0.25, 160, 0, NI),
    "dialects/ebsdlib_HexHeader.ang": Fact(Grid, (40, 4), 0.25, 160, 0, NI),
    "dialects/ebsdlib_MissingHeader_1.ang": Fact(Grid, (40, 4), 0.25, 160, 0, NI),
    "dialects/ebsdlib_Test_1.ang": Fact(Grid, (40, 4), 0.25, 160, 0, NI),
    "dialects/ebsdlib_Test_2.ang": Fact(Grid, (40, 4), 0.25, 160, 0, NI),
    "dialects/ebsdlib_Test_3.ang": Fact(Grid, (40, 4), 0.25, 160, 0, NI),
    "dialects/ebsdlib_Test_European_1.ctf": Fact(Grid, (40, 5), 0.5, 200, 190, ZR),
    "dialects/ebsdlib_Test_US_1.ctf": Fact(Grid, (40, 5), 0.5, 200, 190, ZR),
    "dialects/ebsdlib_Test_US_2.ctf": Fact(Grid, (40, 5), 0.5, 200, 190, FIVE),
    "dialects/ebsdlib_ZeroXYCells.ctf": Fact(Grid, (2, 1), 0.5, 2, 1, ZR),
    "dialects/mtex_testdata_sqr.ctf": Fact(Grid, (30, 30), 1.0, 900, 900, {"Glaucophane": "2/m"}),
}
REFUSED = {
    "dialects/ebsdlib_Corrupted_XCells.ctf": (UnreadableFile, "truncated: 2 of 617283945617283945"),
    "dialects/ebsdlib_ShortFile.ctf": (UnreadableFile, "line 17: is truncated: 2 of 500"),
    "dialects/ebsdlib_ShortFile.ang": (UnreadableFile, "line 120: is truncated: 88 of 160"),
    "dialects/ebsdlib_Test_HeaderCache-1.ang": (UnreadableFile, "header and no data"),
    "dialects/ebsdlib_Test_European_2.ctf": (UnsupportedFormat, "a volume"),
    "pythonebsd_EBSD.osc": (UnsupportedFormat, "Export the scan as .ang"),
    "pyapd_lc_steel_grain_file.txt": (UnsupportedFormat, "the suffix .txt"),
}


@pytest.mark.parametrize("name", FACTS)
def test_scan_is_what_its_table_says(name: str, real_data: Path) -> None:
    fact, scan = FACTS[name], read(real_data / "ebsd" / name)
    assert (type(scan.grid), scan.grid.shape, scan.grid.spacing[0]) == (fact.grid, fact.shape, fact.step)
    there = scan.grid.exists() if isinstance(scan.grid, HexGrid) else np.ones(scan.grid.shape, bool)
    assert np.count_nonzero(there if scan.measured is None else scan.measured) == fact.points
    assert np.count_nonzero(scan.phase_id >= 0) == fact.indexed
    assert {phase.name: phase.laue_group for phase in scan.phases} == fact.phases
    assert np.allclose(np.linalg.norm(scan.orientation, axis=-1), 1, atol=1e-12)
    assert (scan.orientation[scan.phase_id < 0] == [1, 0, 0, 0]).all()


@pytest.mark.parametrize("name", REFUSED)
def test_scan_is_refused_with_the_reason(name: str, real_data: Path) -> None:
    error, reason = REFUSED[name]
    with pytest.raises(error, match=reason.replace("(", r"\(")) as caught:
        read(real_data / "ebsd" / name)
    assert Path(name).name in str(caught.value)
    assert isinstance(caught.value, MicrogenError)


def test_no_scan_is_left_out(real_data: Path) -> None:
    folder = real_data / "ebsd"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*FACTS, *REFUSED}


def test_twins_are_equal_in_both_formats(real_data: Path) -> None:
    text, binary = (read(real_data / "ebsd" / name) for name in ("mtex_twins.ctf", "mtextools_newTwins.cpr"))
    assert text.grid == binary.grid
    assert text.phases == binary.phases
    assert np.array_equal(text.phase_id, binary.phase_id)
    indexed = text.phase_id >= 0
    # Without symmetry: the orientations are the same, not just equivalent.
    angle = misorientation_angle(text.orientation[indexed], binary.orientation[indexed], "-1")
    assert np.degrees(angle).max() < 1e-4


def test_rows_out_of_order_make_the_same_map(real_data: Path) -> None:
    scan = read(real_data / "ebsd" / "ebsdlib_Out_Of_Order.ang")
    rows = np.loadtxt(real_data / "ebsd" / "ebsdlib_Out_Of_Order.ang", comments="#", usecols=(3, 4, 6))
    lost = rows[rows[:, 2] < 0, :2]
    i, j = np.rint(lost / 0.25).astype(int).T
    expected = np.zeros(scan.grid.shape, bool)
    expected[i, j] = True
    assert np.array_equal(scan.phase_id < 0, expected)


def test_neighbours_of_a_scrambled_file_agree(real_data: Path) -> None:
    # Inside grains neighbours differ little: a scrambled map would give Mackenzie's mean of 40.7°.
    scan = read(real_data / "ebsd" / "ebsdlib_Out_Of_Order.ang")
    a, b = scan.grid.neighbour_pairs()
    both = (scan.phase_id.ravel()[a] >= 0) & (scan.phase_id.ravel()[b] >= 0)
    q = scan.orientation.reshape(-1, 4)
    assert np.degrees(np.median(misorientation_angle(q[a[both]], q[b[both]], "m-3m"))) < 2


def test_missing_rows_are_told_apart_from_not_indexed_ones(real_data: Path) -> None:
    scan = read(real_data / "ebsd" / "mtextools_MEA_60CR_1C.ctf")
    assert np.array_equal(scan.measured, scan.phase_id >= 0)
    assert "125765 of 187500 points of the map are missing from the file" in scan.notes


def test_nanometres_of_astar_become_micrometres(real_data: Path) -> None:
    scan = read(real_data / "ebsd" / "mtex_ACOM.ang")
    assert scan.grid.lengths == pytest.approx((0.030, 0.030))
    assert any("nm" in note for note in scan.notes)


def test_what_header_and_coordinates_disagree_about_is_noted(real_data: Path) -> None:
    scan = read(real_data / "ebsd" / "dialects" / "ebsdlib_HexHeader.ang")
    assert "the header says hexagonal, the coordinates say square: these are used" in scan.notes


def test_decimal_commas_and_points_are_the_same_scan(real_data: Path) -> None:
    comma, point = (read(real_data / "ebsd" / "dialects" / f"ebsdlib_Test_{n}_1.ctf") for n in ("European", "US"))
    assert np.array_equal(comma.orientation, point.orientation)
    assert comma.phases == point.phases
    assert point.grid.lengths == (20.0, 2.5)


def test_hexagonal_rows_alternate(real_data: Path) -> None:
    grid = read(real_data / "ebsd" / "pythonebsd_EBSD.ang").grid
    assert (grid.shifted, grid.short) == (1, True)
    assert np.count_nonzero(grid.exists()) == 116 * 104 + 115 * 103
    first = grid.points().reshape(*grid.shape, 2)
    assert first[0, 0] == pytest.approx((0, 0), abs=1e-4)
    assert first[0, 1] == pytest.approx((0.1, 0.17321), abs=1e-4)
