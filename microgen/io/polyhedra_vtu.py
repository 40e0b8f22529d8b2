"""Exact cells as polyhedra of a .vtu for ParaView: points and faces of samples with flat cells, in µm.

Each cell knows grain_id, phase_id, volume (exact, µm³), faces (their number) and orientation. Periodic cells are whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microgen.io import embedded as emb
from microgen.io.grain_volume import grain_volume
from microgen.io.vtk_written import save
from microgen.meshing.polyhedra import Polyhedra, check_flat, polyhedra
from microgen.microstructure import Microstructure

NAME = "polyhedra"
SUFFIXES = (".vtu",)
NEEDS = ("volume", "grains", "flat cells")


def check(ms: Microstructure) -> None:
    """Raises InvalidParameter for samples of curved cells."""
    check_flat(ms)


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: the cells themselves, no voxels."""
    return frozenset({"grain_orientations", "volumes"})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the cells of a sample made with cells laguerre. Raises InvalidParameter for other samples."""
    import pyvista

    mesh, volume = polyhedra(ms), grain_volume(ms, "polyhedra")
    n = len(mesh.sites)
    cells = np.concatenate([_stream(mesh, k) for k in range(n)])
    found = pyvista.UnstructuredGrid(cells, np.full(n, pyvista.CellType.POLYHEDRON), mesh.points)
    found.cell_data["grain_id"] = np.arange(1, n + 1, dtype=np.int32)
    found.cell_data["phase_id"] = volume.phase_id.astype(np.int16)
    found.cell_data["volume"] = mesh.volumes
    found.cell_data["faces"] = np.array([len(b) for b in mesh.bounds], np.int32)
    found.cell_data["orientation"] = volume.orientation.astype(np.float32)
    found.field_data["provenance"] = [emb.provenance_json(emb.provenance_of(ms))]
    save(found, Path(path))


def _stream(mesh: Polyhedra, cell: int) -> np.ndarray:
    """One cell as VTK's face stream: length, faces, and the points of each."""
    faces = mesh.of_cell(cell)
    stream = [len(faces), *(number for face in faces for number in (len(face), *face))]
    return np.array([len(stream), *stream])
