"""Abaqus: meshio reads elements, nodes and sets as they are; equations tie each node once, by the right periods."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from level_sets import level_set
from polycrystals import polycrystal

from microgen import write
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io import abaqus, abaqus_periodic, find_writer
from microgen.io.digits import number_list, number_rows
from microgen.io.periodic import periodic_ties
from microgen.io.voxel_mesh import FACES, plain_names, voxel_mesh
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import rotate

meshio = pytest.importorskip("meshio")


def solid(periodic: tuple[bool, ...] = (), shape: tuple[int, ...] = (5, 7, 6)) -> Microstructure:
    ms = polycrystal(shape, periodic=periodic)
    return replace(ms, grain_id=np.maximum(ms.grain_id, 1), phase_id=np.maximum(ms.phase_id, 0))


def volumes(mesh) -> np.ndarray:  # noqa: ANN001
    """Of each element, from three of its edges."""
    nodes = np.concatenate([block.data for block in mesh.cells])
    corner = mesh.points[nodes[:, 0]]
    edges = np.stack([mesh.points[nodes[:, k]] - corner for k in (1, 3, 4)], axis=1)
    assert np.allclose(mesh.points[nodes[:, 6]] - corner, edges.sum(axis=1))
    return np.linalg.det(edges)


@pytest.mark.parametrize("ms", [polycrystal(), solid()], ids=["with void", "without"])
def test_meshio_finds_each_voxel_at_its_place_in_its_grain(tmp_path: Path, ms: Microstructure) -> None:
    ms = replace(ms, grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3), (10, -20, 30)))
    abaqus.write(ms, tmp_path / "a.inp")
    mesh = meshio.read(tmp_path / "a.inp")
    assert {block.type for block in mesh.cells} == {"hexahedron"}
    assert sum(len(block.data) for block in mesh.cells) == (ms.grain_id > 0).sum()
    assert np.allclose(volumes(mesh), ms.grid.cell_measure)
    for k, block in enumerate(mesh.cells):
        (name,) = (name for name, sets in mesh.cell_sets.items() if name[0] == "G" and len(sets[k]))
        middle = (mesh.points[block.data].mean(axis=1) - ms.grid.origin) / ms.grid.spacing
        place = tuple(np.floor(middle).astype(int).T)
        assert set(ms.grain_id[place]) == {int(name.removeprefix("GRAIN_"))}
        assert len(block.data) == (ms.grain_id == int(name.removeprefix("GRAIN_"))).sum()


def test_void_leaves_no_node_behind(tmp_path: Path) -> None:
    ms = polycrystal()
    labels = np.where(np.arange(5)[:, None, None] < 2, ms.grain_id, 0).astype(np.int32)
    abaqus.write(replace(ms, grain_id=labels), tmp_path / "a.inp")
    mesh = meshio.read(tmp_path / "a.inp")
    used = np.unique(np.concatenate([block.data.ravel() for block in mesh.cells]))
    assert np.array_equal(used, np.arange(len(mesh.points)))
    assert "X_MAX" not in mesh.point_sets
    assert mesh.points[:, 0].max() <= 2 * 0.1 + 1e-12


def test_faces_and_phases_are_sets(tmp_path: Path) -> None:
    ms = solid()
    abaqus.write(ms, tmp_path / "a.inp")
    mesh = meshio.read(tmp_path / "a.inp")
    for k, name in enumerate(FACES):
        value = ms.grid.lengths[k // 2] * (k % 2)
        on = np.flatnonzero(np.isclose(mesh.points[:, k // 2], value))
        assert np.array_equal(np.sort(mesh.point_sets[name]), on)
    for k in (0, 1):
        elements = sum(len(part) for part in mesh.cell_sets[f"PHASE_{k + 1}"])
        assert elements == (ms.grains.phase_id[ms.grain_id - 1] == k).sum()


def test_numbers_are_places_of_the_grid(tmp_path: Path) -> None:
    ms = polycrystal()
    abaqus.write(ms, tmp_path / "a.inp")
    text = (tmp_path / "a.inp").read_text()
    for block in re.findall(r"ELSET=(GRAIN_\d+)\n((?:[ \d,]+\n)+)", text):
        rows = np.array([[int(x) for x in line.split(",")] for line in block[1].splitlines()])
        assert (ms.grain_id.ravel(order="F")[rows[:, 0] - 1] == int(block[0][6:])).all()


def test_sections_have_the_crystal_axes_of_their_grain(tmp_path: Path) -> None:
    ms = solid()
    abaqus.write(ms, tmp_path / "a.inp")
    text = (tmp_path / "a.inp").read_text()
    axes = re.findall(r"\*ORIENTATION, NAME=ORIENTATION_(\d+), .*\n(.*)\n", text)
    assert len(axes) == len(np.unique(ms.grain_id))
    for number, line in axes:
        vectors, q = np.array([float(x) for x in line.split(",")]).reshape(2, 3), ms.grains.orientation[int(number) - 1]
        assert np.allclose(rotate(q, vectors), [[1, 0, 0], [0, 1, 0]], atol=1e-11)
    sections = re.findall(r"\*SOLID SECTION, ELSET=GRAIN_(\d+), MATERIAL=(\w+), ORIENTATION=ORIENTATION_(\d+)\n", text)
    assert [a for a, _, b in sections if a == b] == [number for number, _ in axes]
    assert {name for _, name, _ in sections} == set(re.findall(r"\*MATERIAL, NAME=(\w+)\n\*\* .*TO BE FILLED IN", text))


def test_without_grains_there_is_a_section_a_phase(tmp_path: Path) -> None:
    ms = level_set((6, 5, 4))
    abaqus.write(ms, tmp_path / "a.inp")
    mesh = meshio.read(tmp_path / "a.inp")
    assert len(np.concatenate([block.data for block in mesh.cells])) == (ms.phase_id >= 0).sum()
    assert "*SOLID SECTION, ELSET=PHASE_1, MATERIAL=" in (tmp_path / "a.inp").read_text()


def ties_of(path: Path) -> list[list[tuple[int, int, float]]]:
    """Terms (node, direction, factor) of each equation in a file."""
    blocks = re.findall(r"\*EQUATION\n(\d+)\n((?:[-\d.,]+\n)+)", path.read_text())
    terms = [[float(x) for x in text.replace("\n", "").split(",")] for _, text in blocks]
    assert all(len(row) == 3 * int(count) for row, (count, _) in zip(terms, blocks))
    return [[(int(row[k]), int(row[k + 1]), row[k + 2]) for k in range(0, len(row), 3)] for row in terms]


@pytest.mark.parametrize("periodic", [p for p in itertools.product((False, True), repeat=3) if any(p)])
@pytest.mark.parametrize("ms", [polycrystal(), solid()], ids=["with void", "without"])
def test_each_node_follows_once_and_by_the_right_periods(
    tmp_path: Path, ms: Microstructure, periodic: tuple[bool, ...]
) -> None:
    ms = replace(ms, grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3), (1, 2, 3), periodic))
    abaqus_periodic.write(ms, tmp_path / "a.inp")
    equations = ties_of(tmp_path / "a.inp")
    lines = re.search(r"\*NODE, .*\n((?: *\d+,.*\n)+)", (tmp_path / "a.inp").read_text())[1].splitlines()
    place = {int(line.split(",")[0]): np.array([float(x) for x in line.split(",")[1:]]) for line in lines}
    followers = [equation[0][:2] for equation in equations]
    assert len(set(followers)) == len(followers)
    assert not set(followers) & {term[:2] for equation in equations for term in equation[1:]}
    # A homogeneous deformation satisfies every equation; that of a reference node is its elongation.
    gradient = np.random.default_rng(1).standard_normal((3, 3))
    first = 6 * 8 * 7 + 1
    steps = {first + a: gradient[:, a] * ms.grid.lengths[a] for a in range(3)}
    moved = {n: steps[n] if n in steps else gradient @ x for n, x in place.items()}
    for equation in equations:
        assert abs(sum(factor * moved[node][d - 1] for node, d, factor in equation)) < 1e-10
    # And nothing that is periodic but for it is held back: all images on the upper faces do follow.
    used, shape = voxel_mesh(ms, "a test").used.reshape(6, 8, 7, order="F"), np.array([5, 7, 6])
    classes: dict[tuple[int, ...], int] = {}
    for node in np.argwhere(used):
        base = tuple(np.where(periodic, node % shape, node))
        classes[base] = classes.get(base, 0) + 1
    assert len(equations) == 3 * sum(count - 1 for count in classes.values())


def test_ties_of_a_full_box_are_those_of_the_books() -> None:
    ties = periodic_ties(voxel_mesh(solid((True, True, True)), "a test"))
    assert len(ties.node) == 6 * 8 * 7 - 5 * 7 * 6
    assert (ties.shift >= 0).all()
    assert np.count_nonzero(ties.shift.sum(axis=1) == 3) == 1


@pytest.mark.parametrize(
    ("ms", "format", "said"),
    [
        (polycrystal((5, 7)), "abaqus", "a volume for Abaqus"),
        (replace(polycrystal(), grains=None), "abaqus", "orientations for Abaqus"),
        (replace(polycrystal(), grain_id=None, phase_id=np.full((5, 7, 6), -1, np.int16)), "abaqus", "all void"),
        (polycrystal(), "abaqus-periodic", "a sample that repeats"),
    ],
)
def test_samples_that_do_not_fit_are_refused(tmp_path: Path, ms: Microstructure, format: str, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        write(ms, tmp_path / "a.inp", format=format)
    assert list(tmp_path.iterdir()) == []


def test_more_nodes_than_can_be_numbered_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(abaqus, "MOST", 335)
    with pytest.raises(InvalidParameter, match="at most 335 nodes for Abaqus"):
        abaqus.write(polycrystal(), tmp_path / "a.inp")


def test_names_are_such_as_abaqus_takes() -> None:
    phases = tuple(Phase(name) for name in ("Ni <γ> & co", "ni___co", "", "γ", "9Cr", "x" * 99))
    assert plain_names(phases) == ["Ni_co", "ni_co_2", "PHASE_3", "PHASE_4", "P_9Cr", "x" * 60]


def test_numbers_as_text() -> None:
    rows = np.random.default_rng(0).integers(0, 10**12, (50, 3)) // 10 ** np.arange(0, 12, 4)
    text = number_rows(rows).decode()
    assert np.array_equal([[int(x) for x in line.split(",")] for line in text.splitlines()], rows)
    for n in (0, 3, 6, 7):
        assert [int(x) for x in number_list(np.arange(n), 3).decode().replace("\n", ",").split(",") if x] == [*range(n)]


def test_the_plain_format_is_the_one_of_the_suffix() -> None:
    assert find_writer("a.inp").NAME == "abaqus"
