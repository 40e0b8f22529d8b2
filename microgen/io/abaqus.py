"""Abaqus input (.inp): C3D8 a voxel, ELSET a grain and a phase, NSET a face, orientation and section a grain.

Lengths in µm (stresses in MPa then give forces in µN). Element and node numbers are those of the voxel grid plus one,
x fastest, so that results go back onto the grid; void has no elements. Materials are placeholders for the user to fill.
An *ORIENTATION lists the crystal's x axis and a second vector in its x-y plane: rows 1 and 2 of the matrix that turns
sample into crystal coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from microgen.io import embedded as emb
from microgen.io.digits import number_list, number_rows
from microgen.io.voxel_mesh import FACES, VoxelMesh, cells, plain_names, voxel_mesh
from microgen.microstructure import Microstructure
from microgen.orientation import conjugate, rotate
from microgen.provenance import tool_version

NAME = "abaqus"
SUFFIXES = (".inp",)
NEEDS = ("volume",)
MOST = 999_999_999
"""The highest number Abaqus gives a node or element."""

_CHUNK = 2**12
"""Lines made at a time: few enough to stay in the cache, five times as fast."""
_A_LINE = 16


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: sets of elements and orientations; names of phases are there, their lattices are not."""
    return cells(ms) | {"grain_orientations"}


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the mesh, its sets, orientations and sections; without grains a set and a section a phase.

    Raises InvalidParameter for planes, samples that are all void, grains without orientations and too many nodes.
    """
    mesh = voxel_mesh(ms, "Abaqus", most=MOST)
    with open(path, "wb") as file:
        file.write(heading(ms, mesh))
        file.writelines(node_lines(mesh))
        file.writelines(model_lines(mesh))


def heading(ms: Microstructure, mesh: VoxelMesh) -> bytes:
    """What the file holds, in which units, and its provenance in comments."""
    provenance = emb.provenance_json(emb.provenance_of(ms))
    told = "\n".join("** " + provenance[k : k + 200] for k in range(0, len(provenance), 200))
    lines = [
        "*HEADING",
        f"{mesh.size} voxels in {len(mesh.blocks)} sets, by microgen {tool_version()}",
        "** lengths in micrometres; materials (at the end) and step are TO BE FILLED IN",
        "** element and node numbers are places of the voxel grid, x fastest, from 1",
        f"** voxels {' '.join(map(str, mesh.grid.shape))} of {' '.join(map(repr, mesh.grid.spacing))}",
        f"** provenance:\n{told}",
    ]
    return ("\n".join(lines) + "\n").encode("ascii")


def node_lines(mesh: VoxelMesh) -> Iterator[bytes]:
    """The nodes in use; lines are built of three columns of texts, one an axis."""
    texts = [np.array([repr(float(x)) for x in axis], "S") for axis in mesh.coordinates()]
    columns = [np.char.ljust(text, text.itemsize + 1).view(np.uint8).reshape(len(text), -1) for text in texts]
    for k, column in enumerate(columns):
        column[:, -1] = ord("," if k < 2 else "\n")
    yield b"*NODE, NSET=ALL_NODES\n"
    numbers = np.flatnonzero(mesh.used)
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        number = np.frombuffer(number_rows(chunk[:, None] + 1), np.uint8).reshape(len(chunk), -1).copy()
        number[:, -1] = ord(",")
        place = np.unravel_index(chunk, mesh.node_shape, order="F")
        yield np.hstack([number, *(column[i] for column, i in zip(columns, place))]).tobytes()


def model_lines(mesh: VoxelMesh) -> Iterator[bytes]:
    """Elements, sets, orientations, sections and materials."""
    for block in mesh.blocks:
        yield f"*ELEMENT, TYPE=C3D8, ELSET={block.name}\n".encode()
        for start in range(0, len(block.elements), _CHUNK):
            chunk = block.elements[start : start + _CHUNK]
            yield number_rows(np.column_stack([chunk, mesh.nodes_of(chunk)]) + 1)
    for face in FACES:
        yield node_set(face, mesh.face(face))
    names = plain_names(mesh.phases)
    if mesh.grains is not None:
        for k in range(len(names)):
            members = [block.name for block in mesh.blocks if block.phase_id == k]
            yield f"*ELSET, ELSET=PHASE_{k + 1}\n".encode() if members else b""
            yield "".join(f"{member}\n" for member in members).encode()
    yield from _sections(mesh, names)
    yield from _materials(mesh, names)


def node_set(name: str, nodes: np.ndarray) -> bytes:
    """A set of nodes; none without nodes, for Abaqus takes no empty sets."""
    if len(nodes) == 0:
        return b""
    return f"*NSET, NSET={name}\n".encode() + number_list(nodes + 1, _A_LINE)


def _sections(mesh: VoxelMesh, names: list[str]) -> Iterator[bytes]:
    for block in mesh.blocks:
        section = f"*SOLID SECTION, ELSET={block.name}, MATERIAL={names[block.phase_id]}"
        if mesh.grains is None:
            yield f"{section}\n,\n".encode()
            continue
        back = conjugate(mesh.grains.orientation[block.number - 1])
        axes = np.concatenate([rotate(back, np.array([1.0, 0, 0])), rotate(back, np.array([0, 1.0, 0]))])
        name = f"ORIENTATION_{block.number}"
        yield f"*ORIENTATION, NAME={name}, DEFINITION=COORDINATES, SYSTEM=RECTANGULAR\n".encode()
        yield (", ".join(f"{x:.12f}" for x in axes) + "\n").encode()
        yield f"{section}, ORIENTATION={name}\n,\n".encode()


def _materials(mesh: VoxelMesh, names: list[str]) -> Iterator[bytes]:
    yield b"** ---- MATERIALS: TO BE FILLED IN (elastic and plastic law, or *USER MATERIAL and *DEPVAR) ----\n"
    for k in sorted({block.phase_id for block in mesh.blocks}):
        name = mesh.phases[k].name.encode("ascii", "replace").decode()
        told = f"** {name}, Laue group {mesh.phases[k].laue_group}: TO BE FILLED IN"
        yield f"*MATERIAL, NAME={names[k]}\n{told}\n".encode()
