"""Tetrahedra in files, judged by meshio and VTK; and the user's own gmsh, which accepts the interfaces as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import meshio
import numpy as np
import pytest
import pyvista

from microgen import Grid, Microstructure, Polycrystal
from microgen.errors import EnvironmentProblem, OutputNotWritable, UnsupportedFormat
from microgen.io import gmsh_program
from microgen.io.volume_mesh import face_nodes, same, write_interfaces, write_tetrahedra
from microgen.meshing.conforming import Conforming, conform
from microgen.meshing.tetrahedra import Tetrahedra, interfaces, tetrahedra, volumes


@pytest.fixture(scope="module")
def sample() -> Microstructure:
    return Polycrystal(12, tolerance=0.05).sample(Grid((18, 16, 20), (2.0, 2.0, 2.0), periodic=(True,) * 3), seed=4)


@pytest.fixture(scope="module")
def mesh(sample: Microstructure) -> Conforming:
    return conform(sample)


@pytest.fixture(scope="module")
def cells(mesh: Conforming) -> Tetrahedra:
    return tetrahedra(mesh)


def test_paraview_reads_grains_phases_and_orientations(sample, cells, tmp_path: Path) -> None:
    path, beside = write_tetrahedra(cells, sample, tmp_path / "a.vtu")
    found = pyvista.read(path)
    assert beside.is_file()
    assert np.allclose(found.points, cells.points, rtol=1e-6)
    assert np.array_equal(found.cells.reshape(-1, 5)[:, 1:], cells.tetrahedra)
    assert np.array_equal(found["grain_id"], cells.labels)
    assert np.allclose(found["orientation"], sample.grains.orientation[cells.labels - 1], atol=1e-6)
    sized = found.compute_cell_sizes(length=False, area=False)["Volume"]
    assert sized == pytest.approx(volumes(cells), rel=1e-4)


def test_gmsh_files_have_a_physical_group_a_grain(sample, cells, tmp_path: Path) -> None:
    write_tetrahedra(cells, sample, tmp_path / "a.msh")
    found = meshio.read(tmp_path / "a.msh")
    assert np.array_equal(np.concatenate(found.cell_data["gmsh:physical"]), np.sort(cells.labels))
    assert set(found.field_data) == {f"GRAIN_{k}" for k in np.unique(cells.labels)}
    assert len(found.points) == len(cells.points)


def test_abaqus_files_have_sets_of_grains_phases_and_faces(sample, cells, tmp_path: Path) -> None:
    write_tetrahedra(cells, sample, tmp_path / "a.inp")
    found = meshio.read(tmp_path / "a.inp")
    assert sum(len(block.data) for block in found.cells) == len(cells.labels)
    assert {block.type for block in found.cells} == {"tetra"}
    assert np.array_equal(np.sort(found.point_sets["X_MIN"]), face_nodes(cells.points, "X_MIN"))
    assert found.points == pytest.approx(cells.points)
    text = (tmp_path / "a.inp").read_text()
    assert text.count("*SOLID SECTION") == text.count("*ORIENTATION") == 12
    assert "*ELSET, ELSET=PHASE_1" in text


def test_opposite_faces_have_the_same_nodes(cells: Tetrahedra) -> None:
    for axis, name in enumerate("XYZ"):
        low, high = (cells.points[face_nodes(cells.points, f"{name}_{end}")] for end in ("MIN", "MAX"))
        others = [a for a in range(3) if a != axis]
        assert np.array_equal(*(np.unique(side[:, others].round(9), axis=0) for side in (low, high)))


def test_interfaces_know_their_neighbours(sample, mesh, tmp_path: Path) -> None:
    faces = interfaces(mesh)
    write_interfaces(faces, sample, tmp_path / "a.vtp")
    found = pyvista.read(tmp_path / "a.vtp")
    assert np.array_equal(np.stack([found["behind"], found["before"]], axis=1), faces.sides)
    write_interfaces(faces, sample, tmp_path / "b.vtp")
    assert same(tmp_path / "a.vtp", tmp_path / "b.vtp")


def test_nothing_is_lost_or_left_half(sample, cells, tmp_path: Path) -> None:
    (tmp_path / "a.vtu").write_text("mine")
    with pytest.raises(OutputNotWritable):
        write_tetrahedra(cells, sample, tmp_path / "a.vtu")
    with pytest.raises(UnsupportedFormat, match=r"\.vtu \.msh \.inp"):
        write_tetrahedra(cells, sample, tmp_path / "a.stl")
    assert [path.name for path in tmp_path.iterdir()] == ["a.vtu"]
    assert (tmp_path / "a.vtu").read_text() == "mine"


@pytest.mark.skipif(shutil.which("gmsh") is None, reason="gmsh is not on the path")
def test_gmsh_fills_the_interfaces_as_they_are(mesh, cells) -> None:
    found = gmsh_program.fill(mesh)
    size = volumes(found)
    assert size.min() > 0
    assert np.bincount(found.labels, size) == pytest.approx(np.bincount(cells.labels, volumes(cells)))
    assert len(found.labels) < len(cells.labels)


def test_without_gmsh_the_remedy_is_told(mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EnvironmentProblem, match="--mesher lattice"):
        gmsh_program.fill(mesh)
