"""Reading .ctf."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import Grid
from microgen.errors import MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.io import read
from microgen.orientation import rotate

HEADER = """Channel Text File
Prj\tsteel.cpr
Author\t[Unknown]
JobMode\tGrid
XCells\t3
YCells\t3
XStep\t0.5
YStep\t0.5
AcqE1\t0
AcqE2\t0
AcqE3\t0
Euler angles refer to Sample Coordinate system (CS0)!\tMag\t200
Phases\t1
2.87;2.87;2.87\t90;90;90\tIron\t11\t229
Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS
"""
ROWS = [f"1\t{0.5 * i}\t{0.5 * j}\t8\t0\t10.5\t20.25\t30.0\t0.6\t98\t50" for j in range(3) for i in range(3)]
FIRST = 16


def scan_file(folder: Path, rows: list[str], header: str = HEADER) -> Path:
    path = folder / "scan.ctf"
    path.write_text(header + "\n".join(rows) + "\n", encoding="latin-1")
    return path


def refusal(path: Path) -> MicrogenError:
    with pytest.raises((UnreadableFile, UnsupportedFormat)) as caught:
        read(path)
    return caught.value


def test_frame_is_turned_about_y(tmp_path: Path) -> None:
    rows = [row.replace("10.5\t20.25\t30.0", "0\t0\t0") for row in ROWS]
    scan = read(scan_file(tmp_path, rows))
    assert rotate(scan.orientation[0, 0], np.eye(3)) == pytest.approx(np.diag([-1, 1, -1]), abs=1e-12)
    assert any("180° about y" in note for note in scan.notes)


def test_hexagonal_lattices_lose_30_degrees_about_c(tmp_path: Path) -> None:
    # HKL has a* along x of the crystal; with a along x, a* lies 30° on.
    rows = [row.replace("10.5\t20.25\t30.0", "0\t0\t0") for row in ROWS]
    scan = read(scan_file(tmp_path, rows, HEADER.replace("\t11\t229", "\t7\t167")))
    a_star = rotate(scan.orientation[0, 0], np.array([-1.0, 0, 0]))
    assert a_star == pytest.approx([np.cos(np.pi / 6), 0.5, 0], abs=1e-12)


@pytest.mark.parametrize("columns", [8, 10, 11])
def test_columns_after_the_angles_may_be_missing(tmp_path: Path, columns: int) -> None:
    scan = read(scan_file(tmp_path, ["\t".join(row.split("\t")[:columns]) for row in ROWS]))
    assert scan.grid == Grid((3, 3), (0.5, 0.5), origin=(-0.25, -0.25))
    assert (scan.phase_id == 0).all()


def test_decimal_commas(tmp_path: Path) -> None:
    comma = read(scan_file(tmp_path, [row.replace(".", ",") for row in ROWS], HEADER.replace(".", ",")))
    point = read(scan_file(tmp_path, ROWS))
    assert np.array_equal(comma.orientation, point.orientation)
    assert comma.grid == point.grid
    assert comma.phases == point.phases


def test_three_decimals_are_no_thousands(tmp_path: Path) -> None:
    rows = [f"1\t{19.5 + 0.5 * i:.3f}\t{0.5 * j:.4f}\t8\t0\t10.5\t20.25\t30.0" for j in range(3) for i in range(3)]
    assert read(scan_file(tmp_path, rows)).grid.origin == (19.25, -0.25)


def test_phase_0_is_not_indexed_and_bands_0_is_told(tmp_path: Path) -> None:
    rows = ["0" + ROWS[0][1:], ROWS[1].replace("\t8\t0\t", "\t0\t3\t"), *ROWS[2:]]
    scan = read(scan_file(tmp_path, rows))
    assert scan.phase_id[:2, 0].tolist() == [-1, 0]
    assert any(note.startswith("1 indexed points have no bands") for note in scan.notes)


def test_rows_may_be_missing_anywhere(tmp_path: Path) -> None:
    scan = read(scan_file(tmp_path, [ROWS[k] for k in (0, 1, 2, 3, 6, 8)]))
    expected = np.ones((3, 3), bool)
    expected[[1, 2, 1], [1, 1, 2]] = False
    assert np.array_equal(scan.measured, expected)
    assert (scan.phase_id[~expected] == -1).all()


def test_what_looks_like_radians_or_a_turned_surface_is_noted(tmp_path: Path) -> None:
    rows = [row.replace("10.5\t20.25\t30.0", f"{0.7 * k}\t1.2\t0.4") for k, row in enumerate(ROWS)]
    notes = read(scan_file(tmp_path, rows, HEADER.replace("AcqE2\t0", "AcqE2\t-90"))).notes
    assert any("were radians written?" in note for note in notes)
    assert any("AcqE1-3" in note for note in notes)
    assert not any("radians" in note or "AcqE" in note for note in read(scan_file(tmp_path, ROWS)).notes)


@pytest.mark.parametrize("count", range(1, 9))
def test_a_map_cut_after_any_row_is_refused(tmp_path: Path, count: int) -> None:
    error = refusal(scan_file(tmp_path, ROWS[:count]))
    assert f"truncated: {count} of 9 points" in str(error)
    assert f"line {FIRST + count - 1}" in str(error)


def test_a_map_that_misses_its_last_rows_is_refused(tmp_path: Path) -> None:
    assert "truncated: 4 of 9" in str(refusal(scan_file(tmp_path, [ROWS[k] for k in (0, 2, 3, 5)])))


@pytest.mark.parametrize("cells", ["0", "", "-3"])
def test_cells_that_say_nothing_are_derived(tmp_path: Path, cells: str) -> None:
    scan = read(scan_file(tmp_path, ROWS, HEADER.replace("XCells\t3", f"XCells\t{cells}")))
    assert scan.grid.shape == (3, 3)
    assert any("taken from the coordinates" in note for note in scan.notes)


BAD = {
    "cells without end": (HEADER.replace("XCells\t3", "XCells\t123456789123456789"), ROWS, "truncated: 9 of 370370367"),
    "cells in words": (HEADER.replace("XCells\t3", "XCells\tthree"), ROWS, "line 5: xcells is 'three'"),
    "no phases line": (HEADER.replace("Phases\t1\n", ""), ROWS, "announces '' phases"),
    "too few phases": (HEADER.replace("Phases\t1", "Phases\t2"), ROWS, "announces '2' phases and lists 1"),
    "phase without name": (HEADER.replace("\tIron\t11\t229", ""), ROWS, "line 14: is no description of a phase"),
    "unknown Laue group": (HEADER.replace("\t11\t229", "\t12\t0"), ROWS, "line 14: the phase 'Iron'"),
    "no symmetry": (HEADER.replace("\t11\t229", "\t0\t0"), ROWS, "line 14: the phase 'Iron'"),
    "no angles": (HEADER.replace("Euler2", "Eule"), ROWS, "line 15: has no column euler2"),
    "cut header": (HEADER[:200], [], "its header ends early"),
    "header only": (HEADER, [], "a header and no data"),
    "points": (HEADER.replace("JobMode\tGrid", "JobMode\tInteractive"), ROWS, "a list of points"),
    "volume": (HEADER.replace("YCells", "ZCells\t5\nYCells"), ROWS, "is a volume"),
    "another format": ("# Phase 1\n", ROWS, "is an .ang file"),
    "unknown phase": (HEADER, [*ROWS[:8], "2" + ROWS[8][1:]], "line 24: its phase is not in the header"),
    "half a phase": (HEADER, [*ROWS[:8], "0.5" + ROWS[8][1:]], "line 24: its phase is not in the header"),
    "wild angle": (HEADER, [ROWS[0].replace("20.25", "2025"), *ROWS[1:]], "line 16: an Euler angle is beyond 720°"),
    "thousands": (HEADER, [*ROWS[:8], ROWS[8].replace("10.5", "1.010,5")], "line 24: decimal points and commas"),
    "cut last line": (HEADER, [*ROWS[:8], "1\t1.0\t1."], "line 24: the last line is cut off"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(tmp_path: Path, name: str) -> None:
    header, rows, problem = BAD[name]
    assert problem in str(refusal(scan_file(tmp_path, rows, header)))
