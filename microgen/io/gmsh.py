"""gmsh meshes (.msh 4.1, binary): the voxels as hexahedra, a physical volume a grain and a physical surface a face.

Lengths in µm. Tags of elements and nodes are places of the voxel grid plus one, x fastest; the quadrangles of the faces
come after the voxels. Layout after the MSH file format 4.1 of the gmsh reference manual. Written here, since writers of
general meshes lose the group of a grain that has no node of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from microgen.io import embedded as emb
from microgen.io.voxel_mesh import FACES, SIDES, VoxelMesh, cells, voxel_mesh
from microgen.microstructure import Microstructure

NAME = "gmsh"
SUFFIXES = (".msh",)
NEEDS = ("volume",)

_QUADRANGLE, _HEXAHEDRON = 3, 5
_CHUNK = 2**18


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: groups of grains, or of phases where there are none."""
    return cells(ms) - {"phase_id"} if ms.grain_id is not None else cells(ms)


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the mesh; without grains a physical volume a phase.

    Raises InvalidParameter for planes, samples that are all void and grains without orientations.
    """
    mesh = voxel_mesh(ms, "gmsh")
    faces = {name: sides for name in FACES if len(sides := mesh.sides(name))}
    with open(path, "wb") as file:
        file.write(b"$MeshFormat\n4.1 1 8\n" + struct.pack("<i", 1) + b"\n$EndMeshFormat\n")
        file.write(f"$Comments\n{emb.provenance_json(emb.provenance_of(ms))}\n$EndComments\n".encode("ascii"))
        file.write(_names(mesh, list(faces)))
        file.write(_entities(mesh, list(faces)))
        file.writelines(_nodes(mesh))
        file.writelines(_elements(mesh, faces))


def _names(mesh: VoxelMesh, faces: list[str]) -> bytes:
    lines = [f'2 {FACES.index(name) + 1} "{name}"' for name in faces]
    lines += [f'3 {block.number} "{block.name}"' for block in mesh.blocks]
    return f"$PhysicalNames\n{len(lines)}\n{chr(10).join(lines)}\n$EndPhysicalNames\n".encode()


def _entities(mesh: VoxelMesh, faces: list[str]) -> bytes:
    """An entity a face and a block, each in the group of its own number; no boundaries are told."""
    low = np.array(mesh.grid.origin)
    box = np.concatenate([low, low + mesh.grid.lengths]).tolist()
    tags = [FACES.index(name) + 1 for name in faces] + [block.number for block in mesh.blocks]
    entities = [struct.pack("<i6dQiQ", tag, *box, 1, tag, 0) for tag in tags]
    counts = struct.pack("<4Q", 0, 0, len(faces), len(mesh.blocks))
    return b"$Entities\n" + counts + b"".join(entities) + b"\n$EndEntities\n"


def _nodes(mesh: VoxelMesh) -> Iterator[bytes]:
    """All nodes, as those of the first block: nodes of voxels belong to several."""
    tags = np.flatnonzero(mesh.used) + 1
    yield b"$Nodes\n" + struct.pack("<4Q", 1, len(tags), tags[0], tags[-1])
    yield struct.pack("<3iQ", 3, mesh.blocks[0].number, 0, len(tags)) + tags.astype("<u8").tobytes()
    axes = mesh.coordinates()
    for start in range(0, len(tags), _CHUNK):
        place = np.unravel_index(tags[start : start + _CHUNK] - 1, mesh.node_shape, order="F")
        yield np.stack([axis[i] for axis, i in zip(axes, place)], axis=1).astype("<f8").tobytes()
    yield b"\n$EndNodes\n"


def _elements(mesh: VoxelMesh, faces: dict[str, np.ndarray]) -> Iterator[bytes]:
    count, last = mesh.size + sum(map(len, faces.values())), mesh.grid.size
    first = min(int(block.elements[0]) for block in mesh.blocks) + 1
    last += sum(map(len, faces.values()))
    yield b"$Elements\n" + struct.pack("<4Q", len(faces) + len(mesh.blocks), count, first, last)
    tag = mesh.grid.size + 1
    for name, sides in faces.items():
        yield struct.pack("<3iQ", 2, FACES.index(name) + 1, _QUADRANGLE, len(sides))
        nodes = mesh.nodes_of(sides)[:, SIDES[FACES.index(name)]]
        yield _rows(np.arange(tag, tag + len(sides)), nodes)
        tag += len(sides)
    for block in mesh.blocks:
        yield struct.pack("<3iQ", 3, block.number, _HEXAHEDRON, len(block.elements))
        for start in range(0, len(block.elements), _CHUNK):
            chunk = block.elements[start : start + _CHUNK]
            yield _rows(chunk + 1, mesh.nodes_of(chunk))
    yield b"\n$EndElements\n"


def _rows(tags: np.ndarray, nodes: np.ndarray) -> bytes:
    return np.column_stack([tags, nodes + 1]).astype("<u8").tobytes()
