"""Reading EDAX .h5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from microgen import Grid, HexGrid
from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.io import read


def square_data(columns: int = 3, rows: int = 2) -> dict[str, np.ndarray]:
    j, i = np.divmod(np.arange(columns * rows), columns)
    data: dict[str, np.ndarray] = {name: np.full(len(i), 0.5, "f4") for name in ("Phi1", "Phi", "Phi2", "CI")}
    data["X Position"], data["Y Position"] = (0.1 * i).astype("f4"), (0.1 * j).astype("f4")
    return data | {"Phase": np.zeros(len(i), "i1"), "Valid": np.zeros(len(i), "i1")}


def header(columns: int = 3, rows: int = 2, grid: str = "SqrGrid") -> dict[str, Any]:
    phase = {f"Lattice Constant {axis}": np.float32([3.56]) for axis in ("a", "b", "c")}
    phase |= {f"Lattice Constant {axis}": np.float32([90]) for axis in ("alpha", "beta", "gamma")}
    phase |= {"MaterialName": np.bytes_(["Nickel"]), "Symmetry": np.int32([43])}
    facts = {"nColumns": [columns], "nRows": [rows], "Grid Type": np.bytes_([grid]), "Step X": np.float32([0.1])}
    return facts | {"Step Y": np.float32([0.1]), **{f"Phase/1/{key}": value for key, value in phase.items()}}


def scan_file(folder: Path, *names: str, data: dict | None = None, head: dict | None = None) -> Path:
    path = folder / "scan.h5"
    with h5py.File(path, "w") as file:
        file["Manufacturer"] = np.bytes_(["EDAX"])
        for name in names or ("Scan 1",):
            for key, value in (data or square_data()).items():
                file[f"{name}/EBSD/Data/{key}"] = value
            for key, value in (head or header()).items():
                file[f"{name}/EBSD/Header/{key}"] = value
    return path


def test_map_and_phase(tmp_path: Path) -> None:
    scan = read(scan_file(tmp_path))
    assert scan.grid == Grid((3, 2), (0.1, 0.1), origin=(-0.05, -0.05))
    assert (scan.phase_id == 0).all()
    assert scan.phases[0].name == "Nickel"
    assert scan.phases[0].lattice == (3.56, 3.56, 3.56, 90, 90, 90)


@pytest.mark.parametrize(("valid", "indexed"), [([0] * 6, 6), ([1] * 6, 6), ([0, 1, 0, 0, 0, 1], 4)])
def test_valid_counts_where_it_tells_points_apart(tmp_path: Path, valid: list[int], indexed: int) -> None:
    scan = read(scan_file(tmp_path, data=square_data() | {"Valid": np.array(valid, "i1")}))
    assert np.count_nonzero(scan.phase_id >= 0) == indexed


def test_invalid_places_are_left_out(tmp_path: Path) -> None:
    data = square_data(3, 3)
    for axis in "XY":
        data[f"{axis} Position"][4] = -1111111
    scan = read(scan_file(tmp_path, data=data, head=header(3, 3)))
    assert scan.measured is not None
    assert np.argwhere(~scan.measured).tolist() == [[1, 1]]
    assert "1 points are marked as invalid and left out" in scan.notes


def test_hexagonal_map(tmp_path: Path) -> None:
    grid = HexGrid((4, 3), 0.2)
    x, y = grid.points()[grid.exists().ravel()].T
    data = {name: np.full(len(x), 0.5, "f4") for name in ("Phi1", "Phi", "Phi2", "CI")}
    data |= {"X Position": x.astype("f4"), "Y Position": y.astype("f4"), "Phase": np.zeros(len(x), "i1")}
    scan = read(scan_file(tmp_path, data=data, head=header(4, 3, "HexGrid")))
    assert isinstance(scan.grid, HexGrid)
    assert (scan.grid.shape, scan.grid.short, scan.grid.step) == ((4, 3), True, pytest.approx(0.2))


@pytest.mark.parametrize("name", ["B", "area/map 2"])
def test_another_scan_is_asked_for_by_name(tmp_path: Path, name: str) -> None:
    path = scan_file(tmp_path, "A", name)
    assert any(f"it also holds {name}" in note for note in read(path).notes)
    assert any("it also holds A" in note for note in read(f"{path}::{name}").notes)
    with pytest.raises(InvalidParameter, match="one of A"):
        read(f"{path}::C")


def test_hdf5_of_others_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["EBSD/Data/Phi1"] = [1.0]
    with pytest.raises(UnsupportedFormat, match="no EBSD/Data of EDAX"):
        read(tmp_path / "other.h5")


@pytest.mark.parametrize("link", [h5py.ExternalLink("scan.h5", "/Scan 1"), h5py.SoftLink("/elsewhere")])
def test_links_are_not_followed(tmp_path: Path, link: object) -> None:
    scan_file(tmp_path)
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["Scan 1"] = link
    with pytest.raises(UnsupportedFormat):
        read(tmp_path / "linked.h5")


def test_rings_of_hard_links_end(tmp_path: Path) -> None:
    path = scan_file(tmp_path)
    with h5py.File(path, "a") as file:
        file["Scan 1/again"] = file["Scan 1"]
        file["root"] = file["/"]
    assert read(path).grid.shape == (3, 2)


def test_data_outside_the_file_or_without_end_are_refused(tmp_path: Path) -> None:
    path = scan_file(tmp_path)
    for settings in ({"external": [("phi.bin", 0, 24)]}, {"shape": (10**12,), "chunks": (1000,)}):
        with h5py.File(path, "a") as file:
            del file["Scan 1/EBSD/Data/Phi1"]
            file.create_dataset("Scan 1/EBSD/Data/Phi1", **{"shape": (6,), "dtype": "f4"} | settings)
        with pytest.raises(UnreadableFile, match="holds no data of its own"):
            read(path)


BAD = {
    "missing column": ({k: v for k, v in square_data().items() if k != "Phi2"}, header(), "Phi2 none"),
    "short column": (square_data() | {"CI": np.zeros(5)}, header(), "CI 5"),
    "text column": (square_data() | {"CI": np.bytes_(["a"] * 6)}, header(), "columns of numbers are missing"),
    "empty": ({k: v[:0] for k, v in square_data().items()}, header(), "Phi1 0"),
    "all invalid": (square_data() | {"X Position": np.full(6, -1111111.0)}, header(), "marked as invalid"),
    "truncated": ({k: v[:5] for k, v in square_data().items()}, header(), "truncated: 5 of 6"),
    "unknown phase": (square_data() | {"Phase": np.array([1, 1, 1, 1, 1, 9])}, header(), "point 6: its phase"),
    "unknown symmetry": (square_data(), header() | {"Phase/1/Symmetry": [5]}, "unknown symmetry 5"),
    "no phases": (square_data(), {"nRows": [2]}, "names no phase"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_scans_are_refused(tmp_path: Path, name: str) -> None:
    data, head, problem = BAD[name]
    with pytest.raises(UnreadableFile, match=problem):
        read(scan_file(tmp_path, data=data, head=head))


@pytest.mark.parametrize("size", [0, 7, 100, 2000])
def test_truncated_files_are_refused(tmp_path: Path, size: int) -> None:
    path = scan_file(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UnreadableFile, match="is no whole HDF5 file"):
        read(path)
