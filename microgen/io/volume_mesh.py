"""Tetrahedra of grains in µm: .vtu for ParaView, .msh 2.2 for gmsh and MOOSE, .inp for Abaqus; interfaces as .vtp.

Cells know grain_id and phase_id; groups and sets are named GRAIN_1, PHASE_1 (PHASE_1 without grains), X_MIN ... Z_MAX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import UnsupportedFormat
from microgen.io import embedded as emb
from microgen.io.abaqus import node_set
from microgen.io.digits import number_rows
from microgen.io.sidecar import write_with_provenance
from microgen.io.voxel_mesh import FACES, plain_names
from microgen.io.vtk_written import save
from microgen.meshing.tetrahedra import Interfaces, Tetrahedra
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import conjugate, rotate
from microgen.provenance import tool_version

SUFFIXES = (".vtu", ".msh", ".inp")
SURFACES = (".vtp",)
ALL = (*SUFFIXES, *SURFACES)
_CHUNK = 2**14
_LINES = 200


def write_tetrahedra(mesh: Tetrahedra, ms: Microstructure, path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write the mesh whole or not at all, with the provenance of `ms` beside it; returns the paths.

    Raises UnsupportedFormat for other suffixes, OutputNotWritable.
    """
    writers: dict[str, Callable[[Tetrahedra, Microstructure, Path], None]] = {
        ".vtu": _write_vtu,
        ".msh": _write_msh,
        ".inp": _write_inp,
    }
    write = writers.get(Path(path).suffix.lower())
    if write is None:
        raise UnsupportedFormat(f"{path}: tetrahedra are written as {' '.join(SUFFIXES)}.")
    return write_with_provenance(lambda sample, part: write(mesh, sample, part), ms, path, overwrite=overwrite)


def write_interfaces(mesh: Interfaces, ms: Microstructure, path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write all interfaces as one .vtp whose cells know the labels behind and before them; returns the paths."""

    def write(sample: Microstructure, part: Path) -> None:
        import pyvista

        faces = np.column_stack([np.full(len(mesh.triangles), 3), mesh.triangles])
        found = pyvista.PolyData(mesh.points, faces.ravel())
        found.cell_data["behind"], found.cell_data["before"] = mesh.sides.T.copy()
        found.field_data["provenance"] = [emb.provenance_json(emb.provenance_of(sample))]
        save(found, part)

    return write_with_provenance(write, ms, path, overwrite=overwrite)


def phase_of_label(ms: Microstructure, labels: np.ndarray) -> np.ndarray:
    """int [m]: index of the phase of each label, which is a grain_id or, without grains, phase_id + 1."""
    if ms.grain_id is None:
        return labels - 1
    table = np.zeros(int(max(ms.grain_id.max(), labels.max())) + 1, int)
    table[ms.grain_id.ravel()] = np.maximum(ms.phase_id.ravel(), 0)
    return table[labels]


def _write_vtu(mesh: Tetrahedra, ms: Microstructure, path: Path) -> None:
    import pyvista

    found = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: mesh.tetrahedra}, mesh.points)
    found.cell_data["phase_id"] = phase_of_label(ms, mesh.labels).astype(np.int16)
    if ms.grain_id is not None:
        found.cell_data["grain_id"] = mesh.labels
        if ms.grains is not None:
            found.cell_data["orientation"] = ms.grains.orientation[mesh.labels - 1].astype(np.float32)
    # No text inside: meshio refuses files that have one. The provenance is beside.
    save(found, path)


def _write_msh(mesh: Tetrahedra, ms: Microstructure, path: Path) -> None:
    """Format 2.2: a physical group for each element, which the entities of 4.1 hold only for groups with nodes of
    their own."""
    import meshio

    order = np.argsort(mesh.labels, kind="stable")
    tags = mesh.labels[order].astype(np.int32)
    cells: list[Any] = [meshio.CellBlock("tetra", mesh.tetrahedra[order])]
    names = {name_of(ms, k): np.array([k, 3]) for k in np.unique(tags).tolist()}
    data: dict[str, Any] = {"gmsh:physical": [tags], "gmsh:geometrical": [tags]}
    meshio.write(path, meshio.Mesh(mesh.points, cells, cell_data=data, field_data=names), file_format="gmsh22")


def name_of(ms: Microstructure, label: int) -> str:
    """GRAIN_12, or PHASE_2 without grains."""
    return f"{'PHASE' if ms.grain_id is None else 'GRAIN'}_{label}"


def face_nodes(points: np.ndarray, name: str) -> np.ndarray:
    """Rows of the points on a face of the box."""
    axis, upper = divmod(FACES.index(name), 2)
    x = points[:, axis]
    return np.flatnonzero(x == (x.max() if upper else x.min()))


def _write_inp(mesh: Tetrahedra, ms: Microstructure, path: Path) -> None:
    with open(path, "wb") as file:
        file.writelines(_inp(mesh, ms))


def _inp(mesh: Tetrahedra, ms: Microstructure) -> Iterator[bytes]:
    text = emb.provenance_json(emb.provenance_of(ms))
    lines = "\n".join("** " + text[k : k + _LINES] for k in range(0, len(text), _LINES))
    yield f"*HEADING\n{len(mesh.labels)} tetrahedra by microgen {tool_version()}\n".encode()
    yield f"** lengths in micrometres; materials (at the end) and step are TO BE FILLED IN\n{lines}\n".encode("ascii")
    yield b"*NODE, NSET=ALL_NODES\n"
    for start in range(0, len(mesh.points), _CHUNK):
        rows = enumerate(mesh.points[start : start + _CHUNK].tolist(), start + 1)
        yield "".join(f"{k},{x!r},{y!r},{z!r}\n" for k, (x, y, z) in rows).encode()
    order = np.argsort(mesh.labels, kind="stable")
    known, begin = np.unique(mesh.labels[order], return_index=True)
    for label, rows in zip(known.tolist(), np.split(order, begin[1:])):
        yield f"*ELEMENT, TYPE=C3D4, ELSET={name_of(ms, label)}\n".encode()
        yield number_rows(np.column_stack([rows, mesh.tetrahedra[rows]]) + 1)
    for face in FACES:
        yield node_set(face, face_nodes(mesh.points, face))
    yield from _sections(ms, known)


def _sections(ms: Microstructure, labels: np.ndarray) -> Iterator[bytes]:
    """Sets of the phases, a section (and orientation) a grain, and materials to be filled in."""
    phase = phase_of_label(ms, labels)
    known = ms.phases + tuple(Phase(f"phase_{k + 1}") for k in range(len(ms.phases), int(phase.max()) + 1))
    names = plain_names(known)
    for k in np.unique(phase).tolist() if ms.grain_id is not None else ():
        members = [name_of(ms, label) for label in labels[phase == k].tolist()]
        yield f"*ELSET, ELSET=PHASE_{k + 1}\n{''.join(f'{member}{chr(10)}' for member in members)}".encode()
    for label, k in zip(labels.tolist(), phase.tolist()):
        section, more = f"*SOLID SECTION, ELSET={name_of(ms, label)}, MATERIAL={names[k]}", ""
        if ms.grain_id is not None and ms.grains is not None:
            back = conjugate(ms.grains.orientation[label - 1])
            axes = np.concatenate([rotate(back, axis) for axis in np.eye(3)[:2]])
            told = f"NAME=ORIENTATION_{label}, DEFINITION=COORDINATES, SYSTEM=RECTANGULAR"
            yield f"*ORIENTATION, {told}\n{', '.join(f'{x:.12f}' for x in axes)}\n".encode()
            more = f", ORIENTATION=ORIENTATION_{label}"
        yield f"{section}{more}\n,\n".encode()
    for k in np.unique(phase).tolist():
        yield f"*MATERIAL, NAME={names[k]}\n** {names[k]}: TO BE FILLED IN\n".encode()


def same(one: Path, other: Path) -> bool:
    """True when two files hold the same points and cells."""
    import pyvista

    first, second = pyvista.read(one), pyvista.read(other)
    arrays = [(mesh.points, mesh.faces if one.suffix == ".vtp" else mesh.cells) for mesh in (first, second)]  # type: ignore[attr-defined]
    return all(np.array_equal(a, b) for a, b in zip(*arrays))
