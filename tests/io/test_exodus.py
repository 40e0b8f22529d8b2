"""Exodus: VTK's reader, which is Sandia's library, finds every voxel, block and side set as it is."""

from __future__ import annotations

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
from microgen.io import exodus
from microgen.io.voxel_mesh import FACES
from microgen.microstructure import Grains, Microstructure

vtk = pytest.importorskip("vtkmodules.vtkIOExodus")


def sample() -> Microstructure:
    return replace(polycrystal(), grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3), (10, -20, 30)))


def by_vtk(path: Path) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The reader, and by name the grids of blocks and of side sets."""
    pyvista = pytest.importorskip("pyvista")
    reader = vtk.vtkExodusIIReader()
    reader.SetFileName(str(path))
    reader.UpdateInformation()
    for name in FACES:
        reader.SetSideSetArrayStatus(name, 1)
    for k in range(reader.GetNumberOfElementResultArrays()):
        reader.SetElementResultArrayStatus(reader.GetElementResultArrayName(k), 1)
    reader.GenerateGlobalElementIdArrayOn()
    reader.Update()
    parts = pyvista.wrap(reader.GetOutput())
    blocks, sides = (
        {part.get_block_name(k): part[k] for k in range(part.n_blocks) if part[k] is not None}
        for part in (parts["Element Blocks"], parts["Side Sets"])
    )
    return reader, blocks, sides


def test_vtk_finds_each_voxel_in_the_block_of_its_grain(tmp_path: Path) -> None:
    ms = sample()
    exodus.write(ms, tmp_path / "a.e")
    reader, blocks, _ = by_vtk(tmp_path / "a.e")
    assert reader.GetNumberOfElementsInFile() == (ms.grain_id > 0).sum()
    assert len(blocks) == 12
    for name, block in blocks.items():
        number = int(name.split("GRAIN_")[1].split()[0])
        middle = (block.cell_centers().points - ms.grid.origin) / ms.grid.spacing
        assert (ms.grain_id[tuple(np.floor(middle).astype(int).T)] == number).all()
        assert block.n_cells == (ms.grain_id == number).sum()
        assert np.allclose(block.compute_cell_sizes()["Volume"], ms.grid.cell_measure, rtol=1e-4)  # float32 in VTK
        assert (block["ObjectId"] == number).all()
        assert np.array_equal(block["GlobalElementId"] - 1, np.flatnonzero(ms.grain_id.ravel(order="F") == number))


def test_vtk_finds_grain_phase_and_orientation_of_each_element(tmp_path: Path) -> None:
    ms = sample()
    exodus.write(ms, tmp_path / "a.e")
    reader, blocks, _ = by_vtk(tmp_path / "a.e")
    assert reader.GetNumberOfTimeSteps() == 1
    seen = np.zeros(ms.grid.size, int)
    for block in blocks.values():
        place = block["GlobalElementId"] - 1
        seen[place] = block["grain_id"]
        assert np.array_equal(block["phase_id"], ms.phase_id.ravel(order="F")[place])
        q = np.stack([block[f"q{k}"] for k in range(4)], axis=1)
        assert np.allclose(np.abs((q * ms.grains.orientation[block["grain_id"].astype(int) - 1]).sum(axis=1)), 1)
    assert np.array_equal(seen, ms.grain_id.ravel(order="F"))


def test_vtk_finds_the_sides_of_the_box(tmp_path: Path) -> None:
    ms = sample()
    exodus.write(ms, tmp_path / "a.e")
    _, _, sides = by_vtk(tmp_path / "a.e")
    for k, name in enumerate(FACES):
        (part,) = (side for label, side in sides.items() if name in label)
        axis, upper = divmod(k, 2)
        assert part.n_cells == (ms.grain_id.take(-1 if upper else 0, axis) > 0).sum()
        assert np.allclose(part.points[:, axis], ms.grid.origin[axis] + upper * ms.grid.lengths[axis])
        spans = np.delete(np.array(ms.grid.spacing), axis)
        assert np.allclose(part.compute_cell_sizes()["Area"], spans.prod())
        normal = part.extract_surface(algorithm=None).face_normals
        assert np.allclose(normal[:, axis], 2 * upper - 1)


def test_thousands_of_grains_are_no_trouble(tmp_path: Path) -> None:
    n = 3000
    labels = np.arange(1, n + 1, dtype=np.int32).reshape(30, 10, 10)
    grains = Grains(np.zeros(n, int), np.tile([1.0, 0, 0, 0], (n, 1)), np.ones(n))
    ms = Microstructure(Grid(labels.shape, (1, 1, 1)), np.zeros(labels.shape, np.int16), (), labels, grains=grains)
    exodus.write(ms, tmp_path / "a.e")
    reader = vtk.vtkExodusIIReader()
    reader.SetFileName(str(tmp_path / "a.e"))
    reader.UpdateInformation()
    assert reader.GetNumberOfElementBlockArrays() == n
    assert reader.GetElementBlockArrayName(n - 1).startswith(f"GRAIN_{n}")


def test_phases_are_the_blocks_where_there_are_no_grains(tmp_path: Path) -> None:
    ms = level_set((6, 5, 4))
    exodus.write(ms, tmp_path / "a.e")
    reader, blocks, _ = by_vtk(tmp_path / "a.e")
    assert [block.n_cells for block in blocks.values()] == [(ms.phase_id >= 0).sum()]
    assert [reader.GetElementResultArrayName(k) for k in range(reader.GetNumberOfElementResultArrays())] == ["phase_id"]


def test_provenance_is_inside_and_beside_and_planes_are_refused(tmp_path: Path) -> None:
    ms = sample()
    write(ms, tmp_path / "a.e")
    assert read_provenance(tmp_path / "a.e").to_json() == ms.provenance.to_json()
    assert b'{"command": "polycrystal"' in (tmp_path / "a.e").read_bytes()
    with pytest.raises(InvalidParameter, match="a volume for Exodus"):
        write(polycrystal((5, 7)), tmp_path / "b.e")
