"""Reading and writing .ang."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microgen import Grid, HexGrid, Microstructure, Phase
from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io import read, write
from microgen.orientation import LAUE_GROUPS, misorientation_angle, random_orientations, rotate

HEADER = """# Phase 1
# MaterialName Iron
# Symmetry 43
# LatticeConstants 2.87 2.87 2.87 90 90 90
# GRID: SqrGrid
# XSTEP: 0.5
# YSTEP: 0.5
# NCOLS_ODD: 3
# NCOLS_EVEN: 3
# NROWS: 2
"""
ROWS = [f"0.1 0.2 0.3 {0.5 * i} {0.5 * j} 10 0.9 0 1 1.5" for j in range(2) for i in range(3)]


def scan_file(folder: Path, rows: list[str], header: str = HEADER, *, newline: str = "\n") -> Path:
    path = folder / "scan.ang"
    path.write_bytes((header + "\n".join(rows) + "\n").replace("\n", newline).encode("latin-1"))
    return path


def refusal(path: Path) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    return caught.value


@pytest.mark.parametrize("columns", [8, 10, 13, 14])
def test_extra_columns_are_ignored(tmp_path: Path, columns: int) -> None:
    rows = [" ".join([*row.split(), "7", "7", "7", "7"][:columns]) for row in ROWS]
    scan = read(scan_file(tmp_path, rows))
    assert scan.grid == Grid((3, 2), (0.5, 0.5), origin=(-0.25, -0.25))
    assert (scan.phase_id == 0).all()
    assert scan.phases == (Phase("Iron", "m-3m", (2.87, 2.87, 2.87, 90, 90, 90)),)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_order_of_rows_and_line_ends_do_not_matter(tmp_path: Path, newline: str) -> None:
    rows = [row.replace("0.1 0.2 0.3", f"0.{k} 0.2 0.3") for k, row in enumerate(ROWS, start=1)]
    expected = read(scan_file(tmp_path, rows)).orientation
    shuffled = [rows[k] for k in (4, 0, 3, 5, 1, 2)]
    assert np.array_equal(read(scan_file(tmp_path, shuffled, newline=newline)).orientation, expected)


def test_frame_puts_a1_down_and_a2_to_the_right(tmp_path: Path) -> None:
    # φ1 = φ = φ2 = 0: the crystal's axes lie along A1 (y of the map), A2 (x of the map) and A3 (out of the surface).
    scan = read(scan_file(tmp_path, [row.replace("0.1 0.2 0.3", "0 0 0") for row in ROWS]))
    crystal = rotate(scan.orientation[0, 0], np.eye(3))
    assert crystal == pytest.approx(np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]]), abs=1e-12)
    assert any("180° about x + y" in note for note in scan.notes)


@pytest.mark.parametrize("row", ["0.1 0.2 0.3 0 0 10 -1 0 1 1.5", "12.56637 0.2 0.3 0 0 10 0.9 0 1 1.5"])
def test_confidence_below_zero_and_four_pi_are_not_indexed(tmp_path: Path, row: str) -> None:
    scan = read(scan_file(tmp_path, [row, *ROWS[1:]]))
    assert scan.phase_id.tolist() == [[-1, 0], [0, 0], [0, 0]]
    assert scan.orientation[0, 0].tolist() == [1, 0, 0, 0]
    assert scan.measured is None


def test_astar_keeps_confidence_minus_one(tmp_path: Path) -> None:
    rows = [row.replace(" 0.9 0 ", " -1.000 1 ") for row in ROWS]
    scan = read(scan_file(tmp_path, rows, "# File created from ACOM RES results\n" + HEADER))
    assert (scan.phase_id == 0).all()
    assert scan.grid.spacing == (0.0005, 0.0005)


def test_column_0_is_the_only_phase_but_no_phase_of_two(tmp_path: Path) -> None:
    two = HEADER + "# Phase 2\n# MaterialName Iron\n# Symmetry 62\n"
    rows = [row.replace(" 0.9 0 ", f" 0.9 {k % 3} ") for k, row in enumerate(ROWS)]
    scan = read(scan_file(tmp_path, rows, two))
    assert [phase.name for phase in scan.phases] == ["Iron", "Iron (2)"]
    assert scan.phase_id.tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert "2 points of phase 0 taken as not indexed" in scan.notes


def test_backward_list_of_phases(tmp_path: Path) -> None:
    two = "# Phase 2\n# MaterialName B\n# Symmetry 62\n# Phase 1\n# MaterialName A\n# Symmetry 22\n"
    scan = read(scan_file(tmp_path, [row.replace(" 0.9 0 ", " 0.9 2 ") for row in ROWS], two))
    assert [(p.name, p.laue_group) for p in scan.phases] == [("A", "mmm"), ("B", "6/mmm")]
    assert (scan.phase_id == 1).all()


def test_header_without_grid_is_derived_and_noted(tmp_path: Path) -> None:
    scan = read(scan_file(tmp_path, ROWS, HEADER[: HEADER.index("# GRID")]))
    assert scan.grid == Grid((3, 2), (0.5, 0.5), origin=(-0.25, -0.25))
    assert any("taken from the coordinates" in note for note in scan.notes)


def test_wrong_step_of_the_header_is_noted(tmp_path: Path) -> None:
    scan = read(scan_file(tmp_path, ROWS, HEADER.replace("XSTEP: 0.5", "XSTEP: 0.2")))
    assert scan.grid.spacing == (0.5, 0.5)
    assert any("0.2 µm in the header, 0.5 µm in the coordinates" in note for note in scan.notes)


@pytest.mark.parametrize("columns", [8, 10])
def test_non_ascii_header(tmp_path: Path, columns: int) -> None:
    scan = read(scan_file(tmp_path, ROWS, "# OPERATOR: Håkon Ånes\n" + HEADER.replace("Iron", "Würtzite")))
    assert scan.phases[0].name == "Würtzite"


BAD_ROWS = {
    "cut in the last line": (ROWS[:5] + ["0.1 0.2 0.3 1.0"], 16, "the last line is cut off"),
    "not a number": (ROWS[:2] + [ROWS[2].replace("0.2", "O.2")] + ROWS[3:], 13, "'O.2' is not a number"),
    "short row": (ROWS[:2] + ["1 2 3"] + ROWS[3:], 13, "has 3 columns, 10 were expected"),
    "few columns": (["0 0 0 0 0"] * 6, 11, "has 5 columns"),
    "last row missing": (ROWS[:5], 15, "is truncated: 5 of 6 points"),
    "nan coordinate": (ROWS[:3] + [ROWS[3].replace("0.0 0.5", "nan 0.5")] + ROWS[4:], 14, "a coordinate is no number"),
    "unknown phase": (ROWS[:1] + [ROWS[1].replace(" 0.9 0 ", " 0.9 7 ")] + ROWS[2:], 12, "phase is not in the header"),
    "degrees": (ROWS[:1] + [ROWS[1].replace("0.1 ", "182. ")] + ROWS[2:], 12, "larger than 4π"),
    "duplicates": (ROWS[:5] + [ROWS[0]], None, "hold more than one point"),
    "off the grid": (ROWS[:5] + [ROWS[5].replace("1.0 0.5", "0.7 0.5")], None, "lie on no regular grid"),
    "far away": (ROWS[:5] + [ROWS[5].replace("1.0 0.5", "9e5 0.5")], None, "coordinates are damaged"),
    "infinite": (ROWS[:5] + [ROWS[5].replace("1.0 0.5", "9e99 0.5")], None, "no lengths"),
    "no data": ([], None, "a header and no data"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_name_file_line_and_remedy(tmp_path: Path, name: str) -> None:
    rows, line, problem = BAD_ROWS[name]
    error = refusal(scan_file(tmp_path, rows))
    assert problem in error.problem
    assert error.line == line
    assert error.remedy


BAD_HEADERS = {
    "no phase": ("# GRID: SqrGrid\n", "names no phase"),
    "unknown symmetry": (HEADER.replace("43", "99"), "no TSL number"),
    "no symmetry": (HEADER.replace("# Symmetry 43\n", ""), "no TSL number"),
    "words for numbers": (HEADER.replace("NROWS: 2", "NROWS: two"), "no number"),
    "a number without end": (HEADER.replace("NROWS: 2", f"NROWS: {'9' * 5000}"), "no number"),
    "more rows than a file can hold": (HEADER.replace("NROWS: 2", "NROWS: 123456789123456789"), "truncated: 6 of 37"),
    "no header": ("", "no # header"),
    "another format": ("Channel Text File\n", "Channel Text File"),
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_bad_headers_are_refused(tmp_path: Path, name: str) -> None:
    header, problem = BAD_HEADERS[name]
    error = refusal(scan_file(tmp_path, ROWS, header))
    assert problem in str(error)
    assert error.remedy


def map_of(grid: Grid | HexGrid, phases: int = 1) -> Microstructure:
    rng = np.random.default_rng(3)
    phase_id = rng.integers(-1, phases, grid.shape).astype(np.int16)
    phase_id[0, :] = 0
    if isinstance(grid, HexGrid):
        phase_id[~grid.exists()] = -1
    q = random_orientations(grid.size, rng).reshape(*grid.shape, 4)
    q[phase_id < 0] = [1, 0, 0, 0]
    lattice = (2.5, 2.5, 4.0625, 90.0, 90.0, 120.0)
    names = tuple(Phase(f"phase number {k}", LAUE_GROUPS[k], lattice) for k in range(phases))
    return Microstructure(grid, phase_id, phases=names, orientation=q)


GRIDS = [
    Grid((5, 4), (0.5, 0.25)),
    Grid((1, 6), (0.5, 0.5), origin=(3.0, -1.0)),
    Grid((6, 1), (0.002, 0.002)),
    HexGrid((5, 4), 0.2),
    HexGrid((5, 5), 0.2, shifted=0),
    HexGrid((4, 3), 1.5, short=False, origin=(7.0, 2.0)),
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("phases", [1, 11])
def test_round_trip(tmp_path: Path, grid: Grid | HexGrid, phases: int) -> None:
    ms = map_of(grid, phases)
    write(ms, tmp_path / "map.ang")
    back = read(tmp_path / "map.ang")
    assert type(back.grid) is type(grid)
    assert back.grid.shape == grid.shape
    assert back.grid.points() == pytest.approx(grid.points(), abs=1e-5)
    assert back.phases == ms.phases
    assert np.array_equal(back.phase_id, ms.phase_id)
    assert misorientation_angle(back.orientation, ms.orientation, "-1").max() < 3e-5


def test_missing_points_stay_missing(tmp_path: Path) -> None:
    ms = map_of(Grid((5, 4), (0.5, 0.5)))
    measured = np.ones((5, 4), bool)
    measured[[0, 3], [1, 2]] = False
    ms = replace(ms, measured=measured, phase_id=np.where(measured, ms.phase_id, -1).astype(np.int16))
    write(ms, tmp_path / "map.ang")
    assert np.array_equal(read(tmp_path / "map.ang").measured, measured)


def test_only_maps_are_written(tmp_path: Path) -> None:
    solid = Microstructure(Grid((2, 2, 2), (1, 1, 1)), np.zeros((2, 2, 2), np.int16), phases=(Phase("x"),))
    with pytest.raises(InvalidParameter):
        write(solid, tmp_path / "solid.ang")
    assert not list(tmp_path.iterdir())
