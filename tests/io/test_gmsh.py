"""gmsh: gmsh itself and meshio find every voxel, group and face as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from level_sets import level_set
from polycrystals import polycrystal

from microgen import read_provenance, write
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io import gmsh as ours
from microgen.io.voxel_mesh import FACES


def sample():  # noqa: ANN201
    return replace(polycrystal(), grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3), (10, -20, 30)))


@pytest.fixture
def gmsh() -> Iterator[Any]:
    """The program itself, silent."""
    try:
        import gmsh
    except (ImportError, OSError) as error:
        pytest.skip(f"gmsh cannot be imported ({error})")
    gmsh.initialize(interruptible=False)
    gmsh.option.setNumber("General.Terminal", 0)
    yield gmsh
    gmsh.finalize()


def test_meshio_finds_each_voxel_in_the_group_of_its_grain(tmp_path: Path) -> None:
    meshio, ms = pytest.importorskip("meshio"), sample()
    ours.write(ms, tmp_path / "a.msh")
    mesh = meshio.read(tmp_path / "a.msh")
    found = 0
    for block, numbers in zip(mesh.cells, mesh.cell_data["gmsh:physical"]):
        if block.type == "hexahedron":
            middle = (mesh.points[block.data].mean(axis=1) - ms.grid.origin) / ms.grid.spacing
            assert np.array_equal(ms.grain_id[tuple(np.floor(middle).astype(int).T)], numbers)
            found += len(numbers)
    assert found == (ms.grain_id > 0).sum()
    assert mesh.field_data["GRAIN_3"].tolist() == [3, 3]


def test_gmsh_takes_the_file_as_it_is(tmp_path: Path, gmsh: Any) -> None:
    ms = sample()
    write(ms, tmp_path / "a.msh")
    gmsh.logger.start()
    gmsh.open(str(tmp_path / "a.msh"))
    assert not [line for line in gmsh.logger.get() if line.startswith(("Warning", "Error"))]
    names = {gmsh.model.getPhysicalName(*group): group for group in gmsh.model.getPhysicalGroups()}
    assert set(names) == {*FACES, *(f"GRAIN_{k}" for k in range(1, 13))}
    for number in range(1, 13):
        (entity,) = gmsh.model.getEntitiesForPhysicalGroup(3, number)
        kinds, tags, _ = gmsh.model.mesh.getElements(3, entity)
        assert kinds.tolist() == [5]
        assert np.array_equal(np.sort(tags[0]) - 1, np.flatnonzero(ms.grain_id.ravel(order="F") == number))
        assert np.allclose(gmsh.model.mesh.getElementQualities(tags[0], "volume"), ms.grid.cell_measure)
    assert gmsh.model.mesh.getElementQualities(tags[0], "minSJ").min() > 0


def test_gmsh_sees_the_faces_from_outside(tmp_path: Path, gmsh: Any) -> None:
    ms = sample()
    write(ms, tmp_path / "a.msh")
    gmsh.open(str(tmp_path / "a.msh"))
    tags, places, _ = gmsh.model.mesh.getNodes()
    where = dict(zip(tags.tolist(), places.reshape(-1, 3)))
    for k, name in enumerate(FACES):
        _, _, (nodes,) = gmsh.model.mesh.getElements(2, k + 1)
        corners = np.array([where[node] for node in nodes.tolist()]).reshape(-1, 4, 3)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0])
        outwards = np.zeros(3)
        outwards[k // 2] = 2 * (k % 2) - 1
        assert np.allclose(normal / np.linalg.norm(normal, axis=1, keepdims=True), outwards)
        layer = ms.grain_id.take(-1 if k % 2 else 0, k // 2)
        assert len(corners) == (layer > 0).sum(), name


def test_phases_are_the_groups_where_there_are_no_grains(tmp_path: Path) -> None:
    meshio, ms = pytest.importorskip("meshio"), level_set((6, 5, 4))
    ours.write(ms, tmp_path / "a.msh")
    mesh = meshio.read(tmp_path / "a.msh")
    assert sum(len(b.data) for b in mesh.cells if b.type == "hexahedron") == (ms.phase_id >= 0).sum()
    assert "PHASE_1" in mesh.field_data


def test_provenance_is_beside_and_planes_are_refused(tmp_path: Path) -> None:
    ms = sample()
    write(ms, tmp_path / "a.msh")
    assert read_provenance(tmp_path / "a.msh").to_json() == ms.provenance.to_json()
    assert b'{"command": "polycrystal"' in (tmp_path / "a.msh").read_bytes()
    with pytest.raises(InvalidParameter, match="a volume for gmsh"):
        write(polycrystal((5, 7)), tmp_path / "b.msh")
