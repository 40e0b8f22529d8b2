"""Lists of grains in DREAM.3D's forms, both ways: shapes of known ellipsoids, exact layouts, damage told by line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polycrystals import polycrystal

from microgen import rebuild, write
from microgen.errors import InvalidParameter, MicrogenError, UnreadableFile
from microgen.grid import Grid
from microgen.io import dream3d_grains
from microgen.io.ellipsoids import grain_ellipsoids
from microgen.io.grain_lists import read_table
from microgen.io.grain_volume import grain_volume
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.orientation import conjugate, from_euler, random_orientations, rotate


def one_ellipsoid(
    centre: tuple[float, ...], semi: tuple[float, ...], turn: np.ndarray, *, periodic: bool = False
) -> Microstructure:
    """A grain in the form of an ellipsoid, in a matrix that is another grain; 48 voxels of 0.5 µm an axis."""
    grid = Grid((48, 48, 48), (0.5,) * 3, periodic=(periodic,) * 3)
    apart = grid.points() - centre
    if periodic:
        apart -= 24 * np.rint(apart / 24)
    inside = (rotate(turn, apart) ** 2 / np.square(semi)).sum(axis=1) <= 1
    labels = np.where(inside, 1, 2).astype(np.int32).reshape(grid.shape)
    grains = Grains(np.zeros(2, int), random_orientations(2, np.random.default_rng(0)), np.bincount(labels.ravel())[1:])
    return Microstructure(grid, np.zeros(grid.shape, np.int16), (Phase("Ni"),), labels, grains=grains)


TURN = from_euler(0.4, 1.1, 2.0)


@pytest.mark.parametrize(("centre", "periodic"), [((12, 11, 13), False), ((1, 23, 12), True)])
def test_the_ellipsoid_of_a_grain_is_found(centre: tuple[float, ...], periodic: bool) -> None:
    ms = one_ellipsoid(centre, (8, 5, 3), TURN, periodic=periodic)
    shapes = grain_ellipsoids(grain_volume(ms, "a test"))
    assert np.allclose(shapes.centre[0], centre, atol=0.02)
    assert np.allclose(shapes.semi[0], (8, 5, 3), rtol=0.01)
    assert np.isclose(shapes.volume[0], (ms.grain_id == 1).sum() / 8)
    for axis in np.eye(3):
        assert abs(axis @ rotate(shapes.turn[0], rotate(conjugate(TURN), axis))) > 0.999


def test_the_list_has_a_count_and_eleven_numbers_a_grain(tmp_path: Path) -> None:
    ms = one_ellipsoid((12, 11, 13), (8, 5, 3), TURN)
    assert [p.name for p in write(ms, tmp_path / "a.txt")] == ["a.txt", "a.txt.json"]
    lines = (tmp_path / "a.txt").read_text().splitlines()
    assert (lines[0], len(lines)) == ("2", 3)
    row = [float(x) for x in lines[1].split()]
    assert (row[0], row[7]) == (1, 1)
    assert np.allclose(row[1:7], (12, 11, 13, 8, 5, 3), rtol=0.01)
    turn = from_euler(*row[8:])
    for axis in np.eye(3):
        assert abs(axis @ rotate(turn, rotate(conjugate(TURN), axis))) > 0.999


@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_lists_come_back_as_diagrams_of_ellipsoids(tmp_path: Path, name: str) -> None:
    ms = polycrystal((12, 14, 13), n=20)
    write(ms, tmp_path / name, format="dream3d-csv" if name == "a.csv" else None)
    table = read_table(tmp_path / name)
    shapes = grain_ellipsoids(grain_volume(ms, "a test"))
    assert np.array_equal(table.grains.phase_id, ms.grains.phase_id)
    assert np.allclose(table.grains.volume, shapes.volume, rtol=1e-6)
    assert np.allclose(table.grains.metrics, shapes.metrics(), rtol=1e-5, atol=1e-8)
    apart = table.grains.sites - table.grains.sites[0]
    assert np.allclose(apart, shapes.centre - shapes.centre[0], atol=1e-6)
    if name == "a.csv":
        dots = np.sum(table.grains.orientation * ms.grains.orientation, axis=1)
        assert np.allclose(np.abs(dots), 1, atol=1e-6)


def test_an_ellipsoid_in_a_list_is_the_grain_of_the_rebuilt_volume(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("2\n1 5 5 5 4 2 2 1 0 0 0\n2 13 5 5 4 4 4 1 0 0 0\n")
    table = read_table(tmp_path / "a.txt")
    assert np.allclose(table.box, (16, 8, 8))
    ms = rebuild(table.grains, Grid((32, 16, 16), (0.5,) * 3), lengths=table.box, periodic=table.periodic)
    assert ms.phase_id[2, 8, 8] == 0
    assert ms.phase_id[-2, 8, 8] == 1
    # The border on the line between the centres is where both costs are equal: at 9, where both ellipsoids end.
    assert np.flatnonzero(np.diff(ms.grain_id[:, 8, 8])) == [15]


def test_feature_data_without_shapes_are_read_with_their_neighbours_left_out(tmp_path: Path) -> None:
    head = "2,,,\nFeature_ID,AvgEulerAngles_0,AvgEulerAngles_1,AvgEulerAngles_2,EquivalentDiameters,Phases\n"
    text = head + "1,0.1,0.2,0.3,2.0,1\n2,-0.1,0.5,0.3,4.0,2\nFeature_ID,NumNeighbors,NeighborList\n1,1,2\n2,1,1\n"
    (tmp_path / "a.csv").write_text(text)
    table = read_table(tmp_path / "a.csv")
    assert np.allclose(table.grains.volume, np.pi / 6 * np.array([8, 64]))
    assert np.allclose(table.grains.orientation[0], from_euler(0.1, 0.2, 0.3))
    assert table.grains.sites is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("Phase X Y", "line 1: expected the number"),
        ("2\n1 1 1 1 1 1 1 1 0 0 0\n", "announces 2 grains and holds 1"),
        ("1\n1 1 1 1 1 1 1 1 0 0\n", "line 2"),
        ("1\n0 1 1 1 1 1 1 1 0 0 0\n", "line 2: expected a phase from 1"),
        ("1\n1 1 1 1 0 1 1 1 0 0 0\n", "line 2: expected semi-axes above 0"),
        ("1\n1 nan 1 1 1 1 1 1 0 0 0\n", "line 2: holds no finite"),
        ("9" * 50 + "\n1 1 1 1 1 1 1 1 0 0 0\n", "announces"),
    ],
)
def test_lists_that_are_none_are_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(UnreadableFile, match=said):
        read_table(tmp_path / "a.txt")


def test_a_table_of_fitted_ellipses_is_no_such_list(real_data: Path) -> None:
    with pytest.raises(UnreadableFile, match="expected the number of grains"):
        dream3d_grains.read_table(real_data / "ebsd" / "pyapd_lc_steel_grain_file.txt")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**14), st.integers(0, 255)), max_size=4),
    end=st.floats(0, 1),
    name=st.sampled_from(["a.txt", "a.csv"]),
)
def test_damage_gives_a_typed_error_or_a_whole_table(
    tmp_path: Path, changes: list[tuple[int, int]], end: float, name: str
) -> None:
    path = tmp_path / name
    write(polycrystal(), path, format="dream3d-csv" if name == "a.csv" else None, overwrite=True)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data if changes else data[: int(end * len(data))])
    try:
        assert len(read_table(path).grains) > 0
    except MicrogenError as error:
        assert isinstance(error, UnreadableFile)  # noqa: PT017


def test_planes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="a volume"):
        dream3d_grains.write(polycrystal((5, 7)), tmp_path / "a.txt")


@pytest.mark.parametrize("shape", [(5, 7, 6), (5, 7)])
def test_spparks_finds_the_grain_of_each_site(tmp_path: Path, shape: tuple[int, ...]) -> None:
    ms = polycrystal(shape, periodic=(True, False, True)[: len(shape)])
    write(ms, tmp_path / "rve.spparks")
    lines = (tmp_path / "rve.spparks").read_text().splitlines()
    assert lines[0].startswith("app_style potts 13; ")
    assert lines[0].endswith("; create_sites box; read_sites rve.spparks")
    assert f"boundary p n p; lattice {'sc/26n' if len(shape) == 3 else 'sq/8n'} 1.0" in lines[0]
    head = lines[2 : lines.index("Values")]
    assert head[:5] == [
        f"{len(shape)} dimension",
        f"{ms.grid.size} sites",
        "id site values",
        "0 5 xlo xhi",
        "0 7 ylo yhi",
    ]
    assert head[5] == ("0 6 zlo zhi" if len(shape) == 3 else "-0.5 0.5 zlo zhi")
    rows = np.array([line.split() for line in lines[lines.index("Values") + 2 :]], int)
    assert np.array_equal(rows[:, 0], np.arange(1, ms.grid.size + 1))
    values = rows[:, 1].reshape(shape, order="F")
    assert np.array_equal(values, np.where(ms.grain_id > 0, ms.grain_id, 13))


def test_spparks_wants_grains(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="grains for SPPARKS"):
        write(replace(polycrystal(), grain_id=None), tmp_path / "a.spparks")
