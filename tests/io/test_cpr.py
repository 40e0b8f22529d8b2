"""Reading .cpr with .crc."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import Grid
from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io import read
from microgen.orientation import from_euler, misorientation_angle

CPR = """[General]
JobMode=RegularGrid
[Job]
NoOfPoints=6
GridDistX=0.5
GridDistY=0.5
xCells=3
yCells=2
[Fields]
Count=5
Field1=3
Field2=4
Field3=5
Field4=10
Field5=11
[Phases]
Count=1
[Phase1]
StructureName=Iron
a=2.87
b=2.87
c=2.87
alpha=90
beta=90
gamma=90
LaueGroup=11
SpaceGroup=229
"""
DTYPE = [("phase", "u1"), ("euler", "<f4", 3), ("bands", "u1"), ("error", "u1")]


def records(count: int = 6) -> np.ndarray:
    data = np.zeros(count, DTYPE)
    data["phase"], data["bands"] = 1, 8
    data["euler"] = np.linspace(0.1, 1.5, 3 * count).reshape(-1, 3)
    return data


def scan_files(folder: Path, cpr: str = CPR, data: np.ndarray | None = None) -> Path:
    (folder / "scan.cpr").write_text(cpr, encoding="latin-1")
    (folder / "scan.crc").write_bytes((records() if data is None else data).tobytes())
    return folder / "scan.cpr"


def test_rows_of_the_map_follow_one_another(tmp_path: Path) -> None:
    data = records()
    data["phase"][4] = 0
    scan = read(scan_files(tmp_path, data=data))
    assert scan.grid == Grid((3, 2), (0.5, 0.5), origin=(-0.25, -0.25))
    assert scan.phase_id.tolist() == [[0, 0], [0, -1], [0, 0]]
    phi1, phi, phi2 = data["euler"][5].astype(float)
    # 180° about y in front of the orientation, as rotations of Euler angles.
    assert misorientation_angle(scan.orientation[2, 1], from_euler(np.pi - phi1, np.pi + phi, phi2), "-1") < 1e-7


@pytest.mark.parametrize("name", ["scan.cpr", "scan.crc"])
def test_either_file_may_be_given_and_suffixes_be_capitals(tmp_path: Path, name: str) -> None:
    scan_files(tmp_path)
    (tmp_path / "scan.cpr").rename(tmp_path / "scan.CPR")
    assert read(tmp_path / ("scan.CPR" if name == "scan.cpr" else name)).grid.shape == (3, 2)


def test_coordinates_of_the_records_win_over_their_order(tmp_path: Path) -> None:
    cpr = CPR.replace("Count=5", "Count=7").replace("Field5=11", "Field5=11\nField6=1\nField7=2")
    data = np.zeros(6, [*DTYPE, ("x", "<f4"), ("y", "<f4")])
    for name in ("phase", "euler", "bands"):
        data[name] = records()[name]
    data["x"], data["y"] = [1.0, 0.5, 0, 1.0, 0.5, 0], [0.5, 0.5, 0.5, 0, 0, 0]
    turned = read(scan_files(tmp_path, cpr, data))
    plain = read(scan_files(tmp_path))
    assert np.allclose(turned.orientation, plain.orientation[::-1, ::-1])


def test_maps_exported_by_mtex_are_turned_back(tmp_path: Path) -> None:
    plain = read(scan_files(tmp_path))
    data = records().reshape(2, 3)[::-1].ravel()
    phi1, phi, phi2 = data["euler"].T.copy()
    data["euler"] = np.stack([np.pi - phi1, np.pi - phi, np.pi + phi2], axis=1)
    cpr = CPR.replace("[General]", "[General]\nDescription=Exported from MTEX")
    turned = read(scan_files(tmp_path, cpr, data))
    assert misorientation_angle(plain.orientation, turned.orientation, "-1").max() < 1e-6
    assert any("turned back by 180° about x" in note for note in turned.notes)


def test_a_that_contradicts_b_is_replaced_and_noted(tmp_path: Path) -> None:
    hexagonal = CPR.replace("LaueGroup=11", "LaueGroup=").replace("229", "194").replace("a=2.87", "a=2.4855")
    scan = read(scan_files(tmp_path, hexagonal))
    assert scan.phases[0].laue_group == "6/mmm"
    assert scan.phases[0].lattice[:2] == (2.87, 2.87)
    assert any("b is used" in note for note in scan.notes)


@pytest.mark.parametrize("missing", ["scan.cpr", "scan.crc"])
def test_the_other_file_is_missing(tmp_path: Path, missing: str) -> None:
    scan_files(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(UnreadableFile, match=f"{missing} is not beside it"):
        read(next(tmp_path.iterdir()))


@pytest.mark.parametrize("size", [0, 1, 89, 91, 180])
def test_a_crc_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    scan_files(tmp_path)
    (tmp_path / "scan.crc").write_bytes(bytes(size))
    with pytest.raises(UnreadableFile, match=f"holds {size} bytes; 6 points of 15 bytes"):
        read(tmp_path / "scan.cpr")


BAD = {
    "points": (CPR.replace("RegularGrid", "InteractivePoint"), UnsupportedFormat, "a list of points"),
    "no cells": (CPR.replace("xCells=3", ""), UnreadableFile, "do not make a map"),
    "wild cells": (CPR.replace("xCells=3", "xCells=1e300"), UnreadableFile, "xcells in [job] is '1e300'"),
    "no step": (CPR.replace("GridDist", "Grid"), UnreadableFile, "do not make a map"),
    "no angles": (CPR.replace("Field2=4", "Field2=9"), UnreadableFile, "no Euler angles"),
    "a field twice": (CPR.replace("Field4=10", "Field4=3"), UnreadableFile, "a field twice"),
    "phases that are not there": (CPR.replace("[Phase1]", "[Phase3]"), UnreadableFile, "announces 1 phases"),
    "no phases": (CPR.replace("[Phases]\nCount=1", "[Phases]\nCount=0"), UnreadableFile, "announces 0 phases"),
    "unknown symmetry": (CPR.replace("LaueGroup=11", "LaueGroup=44"), UnreadableFile, "Laue group 44"),
    "negative count": (CPR.replace("NoOfPoints=6", "NoOfPoints=-6"), UnreadableFile, "noofpoints in [job] is '-6'"),
    "no .cpr": ("hello", UnreadableFile, "it is no .cpr file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_headers_are_refused(tmp_path: Path, name: str) -> None:
    cpr, error, problem = BAD[name]
    with pytest.raises(error) as caught:
        read(scan_files(tmp_path, cpr))
    assert problem in str(caught.value)


def test_bad_records_are_refused_by_their_number(tmp_path: Path) -> None:
    data = records()
    data["phase"][3] = 2
    with pytest.raises(UnreadableFile, match="record 4 has phase 2 of 1"):
        read(scan_files(tmp_path, data=data))
    data["phase"][3], data["euler"][2, 1] = 1, 1e30
    with pytest.raises(UnreadableFile, match="record 3 has Euler angles beyond 4π"):
        read(scan_files(tmp_path, data=data))
