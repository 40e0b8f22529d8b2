"""Reading Oxford .h5oina: files as the specification has them, the same map as .ctf, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from microgen import Grid, Microstructure
from microgen.errors import InvalidParameter, MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.io import read

COLUMNS, ROWS, STEP = 4, 3, 0.5


def points(seed: int = 0) -> dict[str, np.ndarray]:
    """A map row by row, with one point that is not indexed."""
    rng = np.random.default_rng(seed)
    j, i = np.divmod(np.arange(COLUMNS * ROWS), COLUMNS)
    phase = rng.integers(1, 3, len(i)).astype("u1")
    phase[5] = 0
    euler = np.float32(rng.random((len(i), 3)) * [6, 3, 6])
    data = {"Phase": phase[:, None], "Euler": euler, "Bands": np.full((len(i), 1), 8, "u1")}
    return data | {"X": np.float32(i * STEP)[:, None], "Y": np.float32(j * STEP)[:, None]}


def header() -> dict[str, Any]:
    cells = {"X Cells": np.int32([COLUMNS]), "Y Cells": np.int32([ROWS])}
    steps = {"X Step": np.float32([STEP]), "Y Step": np.float32([STEP])}
    frames = {"Specimen Orientation Euler": np.zeros((1, 3), "f4"), "Scanning Rotation Angle": np.float32([np.nan])}
    iron = phase("Iron bcc", 11, 229, (2.87, 2.87, 2.87), (90, 90, 90))
    titanium = phase("Ti", 9, 194, (2.95, 2.95, 4.68), (90, 90, 120))
    return cells | steps | frames | _below("Phases/1", iron) | _below("Phases/2", titanium)


def phase(name: str, laue: int, space: int, lengths: tuple[float, ...], angles: tuple[float, ...]) -> dict[str, Any]:
    return {
        "Phase Name": [name],
        "Reference": ["none"],
        "Lattice Dimensions": np.float32([lengths]),
        "Lattice Angles": np.radians(np.float32([angles])),
        "Laue Group": np.int32([laue]),
        "Space Group": np.int32([space]),
    }


def _below(group: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {f"{group}/{name}": value for name, value in fields.items()}


def map_file(
    folder: Path, data: dict | None = None, head: dict | None = None, slices: tuple[str, ...] = ("1",)
) -> Path:
    path = folder / "map.h5oina"
    with h5py.File(path, "w") as file:
        file["Manufacturer"], file["Format Version"], file["Index"] = ["Oxford Instruments"], ["5.0"], list(slices)
        for name in slices:
            for key, value in (points() if data is None else data).items():
                file[f"{name}/EBSD/Data/{key}"] = value
            for key, value in (header() if head is None else head).items():
                file[f"{name}/EBSD/Header/{key}"] = value
    return path


def as_ctf(folder: Path, data: dict[str, np.ndarray]) -> Microstructure:
    """The same map as Channel Text File."""
    head = f"Channel Text File\nJobMode\tGrid\nXCells\t{COLUMNS}\nYCells\t{ROWS}\nXStep\t{STEP}\nYStep\t{STEP}\n"
    head += "AcqE1\t0\nAcqE2\t0\nAcqE3\t0\nPhases\t2\n2.87;2.87;2.87\t90;90;90\tIron bcc\t11\t229\n"
    head += "2.95;2.95;4.68\t90;90;120\tTi\t9\t194\nPhase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS\n"
    rows = []
    for k in range(COLUMNS * ROWS):
        angles = "\t".join(f"{a:.9g}" for a in np.degrees(data["Euler"][k].astype(float)))
        rows.append(f"{data['Phase'][k, 0]}\t{data['X'][k, 0]}\t{data['Y'][k, 0]}\t8\t0\t{angles}\t0.5\t90\t50")
    (folder / "map.ctf").write_text(head + "\n".join(rows) + "\n")
    return read(folder / "map.ctf")


@pytest.mark.parametrize("seed", range(3))
def test_the_same_map_as_ctf(tmp_path: Path, seed: int) -> None:
    scan, other = read(map_file(tmp_path, points(seed))), as_ctf(tmp_path, points(seed))
    assert scan.grid == other.grid == Grid((COLUMNS, ROWS), (STEP, STEP), origin=(-STEP / 2, -STEP / 2))
    assert scan.phases == other.phases
    assert np.array_equal(scan.phase_id, other.phase_id)
    assert np.abs((scan.orientation * other.orientation).sum(-1)) == pytest.approx(1, abs=1e-9)
    assert any("Oxford/HKL frame" in note for note in scan.notes)


@pytest.mark.parametrize("keep", [("Phase", "Euler"), ("Phase", "Euler", "Y")])
def test_without_coordinates_points_go_row_by_row(tmp_path: Path, keep: tuple[str, ...]) -> None:
    whole, bare = read(map_file(tmp_path)), read(map_file(tmp_path, {k: points()[k] for k in keep}))
    assert bare.grid == whole.grid
    assert np.array_equal(bare.phase_id, whole.phase_id)


def test_order_of_points_does_not_matter(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(COLUMNS * ROWS)
    mixed = read(map_file(tmp_path, {k: v[order] for k, v in points().items()}))
    assert np.array_equal(mixed.orientation, read(map_file(tmp_path)).orientation)


def test_points_outside_the_acquired_area_are_left_out(tmp_path: Path) -> None:
    data = points()
    for name in ("X", "Y", "Euler"):
        data[name][6] = np.nan
    scan = read(map_file(tmp_path, data))
    assert scan.measured is not None
    assert np.argwhere(~scan.measured).tolist() == [[2, 1]]
    assert any("1 points lie outside" in note for note in scan.notes)


def test_phases_are_known_by_their_numbers(tmp_path: Path) -> None:
    head = {k.replace("Phases/2", "Phases/7"): v for k, v in header().items()}
    data = points()
    data["Phase"][data["Phase"] == 2] = 7
    assert np.array_equal(read(map_file(tmp_path, data, head)).phase_id, read(map_file(tmp_path)).phase_id)


def test_a_turned_surface_is_told(tmp_path: Path) -> None:
    head = header() | {"Specimen Orientation Euler": np.float32([[1.57, 0, 0]])}
    assert any("was turned" in note for note in read(map_file(tmp_path, head=head)).notes)


def test_another_slice_is_asked_for_by_name(tmp_path: Path) -> None:
    path = map_file(tmp_path, slices=("1", "2"))
    assert any("also holds 2" in note for note in read(path).notes)
    assert any("also holds 1" in note for note in read(f"{path}::2").notes)
    with pytest.raises(InvalidParameter, match="one of 1, 2"):
        read(f"{path}::3")


def without(fields: dict, *names: str) -> dict:
    return {k: v for k, v in fields.items() if k not in names}


BAD: dict[str, tuple[dict, dict, type[MicrogenError], str]] = {
    "no phase column": (without(points(), "Phase"), header(), UnreadableFile, "no column of numbers 'Phase'"),
    "no angles": (without(points(), "Euler"), header(), UnreadableFile, "no column of numbers 'Euler'"),
    "no points": ({k: v[:0] for k, v in points().items()}, header(), UnreadableFile, "holds no points"),
    "short column": (points() | {"X": np.zeros(5)}, header(), UnreadableFile, "different lengths .*X 5"),
    "cut": ({k: v[:9] for k, v in points().items()}, header(), UnreadableFile, "9 of 12"),
    "cut, no places": (without({k: v[:9] for k, v in points().items()}, "X"), header(), UnreadableFile, "4 x 3 cells"),
    "no place at all": (points() | {"X": np.full(12, np.nan)}, header(), UnreadableFile, "none of its points"),
    "unknown phase": (points() | {"Phase": np.full(12, 9)}, header(), UnreadableFile, "the phase 9"),
    "no phases": (points(), without(header(), *(k for k in header() if "Phases" in k)), UnreadableFile, "no phase"),
    "no symmetry": (points(), header() | {"Phases/1/Laue Group": [77]}, UnreadableFile, "Laue group 77"),
    "line": (points(), header() | {"Y Cells": [1], "Y Step": np.float32([0])}, UnsupportedFormat, "line scan"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_maps_are_refused(tmp_path: Path, name: str) -> None:
    data, head, error, problem = BAD[name]
    with pytest.raises(error, match=problem):
        read(map_file(tmp_path, data, head))


def test_a_file_of_other_techniques_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "eds.h5oina", "w") as file:
        file["1/EDS/Data/Composition/Fe"] = [1.0]
    with pytest.raises(UnsupportedFormat, match="holds no EBSD data"):
        read(tmp_path / "eds.h5oina")


@pytest.mark.parametrize("size", [0, 7, 100, 2000])
def test_truncated_files_are_refused(tmp_path: Path, size: int) -> None:
    path = map_file(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UnreadableFile, match="is no whole HDF5 file"):
        read(path)


@pytest.mark.parametrize("link", [h5py.ExternalLink("map.h5oina", "/1"), h5py.SoftLink("/elsewhere")])
def test_links_are_not_followed(tmp_path: Path, link: object) -> None:
    map_file(tmp_path)
    with h5py.File(tmp_path / "linked.h5oina", "w") as file:
        file["1"] = link
    with pytest.raises(UnsupportedFormat):
        read(tmp_path / "linked.h5oina")
