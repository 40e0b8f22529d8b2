"""Exodus II (.e, .exo), as MOOSE and ParaView read it: an element block a grain, a side set a face of the box.

At the only time, 0, elements have the variables grain_id, phase_id and q0 ... q3 (a unit quaternion, scalar first,
sample to crystal); those of samples without grains phase_id alone.
Lengths in µm; block numbers are those of the grains. Numbers of elements and nodes are dense; their maps (elem_num_map,
node_num_map) hold the places in the voxel grid plus one, x fastest. A netCDF classic file of 64-bit offsets, laid out
after appendix A of Schoof and Yarberry, EXODUS II: a finite element data model, SAND92-2137.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microgen.io import embedded as emb
from microgen.io.voxel_mesh import FACES, VoxelMesh, cells, voxel_mesh
from microgen.microstructure import Microstructure
from microgen.provenance import tool_version

if TYPE_CHECKING:
    from scipy.io import netcdf_file

NAME = "exodus"
SUFFIXES = (".e", ".exo")
NEEDS = ("volume",)
MOST = 2**28
"""Nodes: an array of a netCDF classic file holds at most 4 GiB."""

_SIDES = (4, 2, 1, 3, 5, 6)  # Exodus' numbers of the sides of a hexahedron, in the order of FACES
_STRING, _LINE = 33, 81


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return cells(ms) | {"grain_orientations"}


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the mesh; without grains a block a phase.

    Raises InvalidParameter for planes, samples that are all void, grains without orientations and too many nodes.
    """
    from scipy.io import netcdf_file

    mesh = voxel_mesh(ms, "Exodus", most=MOST)
    with netcdf_file(path, "w", version=2) as file:
        file.createDimension(
            "time_step", 1
        )  # of no fixed length, scipy's time would grow with the square of the blocks
        file.title = f"microgen {tool_version()}"
        file.api_version = file.version = np.float32(5.1)
        file.floating_point_word_size = np.int32(8)
        file.file_size = np.int32(1)
        file.maximum_name_length = np.int32(_STRING - 1)
        for name, size in {
            "len_string": _STRING,
            "len_name": _STRING,
            "len_line": _LINE,
            "four": 4,
            "num_dim": 3,
        }.items():
            file.createDimension(name, size)
        _put(file, "time_whole", ("time_step",), np.zeros(1))
        _records(file, ms)
        _nodes(file, mesh)
        _blocks(file, mesh)
        _side_sets(file, mesh)
        _variables(file, mesh)


def _put(file: netcdf_file, name: str, dimensions: tuple[str, ...], values: np.ndarray) -> None:
    """A variable of int32, float64 or bytes."""
    kind = {"i": "i", "f": "d", "S": "c"}[values.dtype.kind]
    file.createVariable(name, kind, dimensions)[:] = values


def _texts(texts: list[str], length: int) -> np.ndarray:
    """S1 [n, length]: texts filled up with zeros, the last of which ends them."""
    cut = [text.encode("ascii", "replace")[: length - 1] for text in texts]
    return np.array(cut, f"S{length}").view("S1").reshape(len(texts), length)


def _records(file: netcdf_file, ms: Microstructure) -> None:
    """Which program wrote the file, and the provenance in lines."""
    made = emb.provenance_of(ms)
    text = emb.provenance_json(made)
    lines = [text[k : k + _LINE - 1] for k in range(0, len(text), _LINE - 1)]
    file.createDimension("num_qa_rec", 1)
    file.createDimension("num_info", len(lines))
    record = _texts(["microgen", made.version, made.time[:10], made.time[11:19]], _STRING)
    _put(file, "qa_records", ("num_qa_rec", "four", "len_string"), record[None])
    _put(file, "info_records", ("num_info", "len_line"), _texts(lines, _LINE))


def _nodes(file: netcdf_file, mesh: VoxelMesh) -> None:
    places, axes = np.flatnonzero(mesh.used), mesh.coordinates()
    file.createDimension("num_nodes", len(places))
    for name, axis, place in zip("xyz", axes, np.unravel_index(places, mesh.node_shape, order="F")):
        _put(file, f"coord{name}", ("num_nodes",), axis[place])
    _put(file, "coor_names", ("num_dim", "len_name"), _texts(["x", "y", "z"], _STRING))
    _put(file, "node_num_map", ("num_nodes",), (places + 1).astype(np.int32))


def _blocks(file: netcdf_file, mesh: VoxelMesh) -> None:
    numbers, ranks = [block.number for block in mesh.blocks], mesh.compact()
    file.createDimension("num_elem", mesh.size)
    file.createDimension("num_el_blk", len(numbers))
    _put(file, "eb_status", ("num_el_blk",), np.ones(len(numbers), np.int32))
    _put(file, "eb_prop1", ("num_el_blk",), np.array(numbers, np.int32))
    file.variables["eb_prop1"].name = "ID"
    _put(file, "eb_names", ("num_el_blk", "len_name"), _texts([block.name for block in mesh.blocks], _STRING))
    elements = np.concatenate([block.elements for block in mesh.blocks])
    _put(file, "elem_num_map", ("num_elem",), (elements + 1).astype(np.int32))
    for k, block in enumerate(mesh.blocks, 1):
        file.createDimension(f"num_el_in_blk{k}", len(block.elements))
        file.createDimension(f"num_nod_per_el{k}", 8)
        nodes = (ranks[mesh.nodes_of(block.elements)] + 1).astype(np.int32)
        _put(file, f"connect{k}", (f"num_el_in_blk{k}", f"num_nod_per_el{k}"), nodes)
        file.variables[f"connect{k}"].elem_type = "HEX8"


def _side_sets(file: netcdf_file, mesh: VoxelMesh) -> None:
    faces = {name: sides for name in FACES if len(sides := mesh.sides(name))}
    rank = np.zeros(mesh.grid.size, np.int32)
    rank[np.concatenate([block.elements for block in mesh.blocks])] = np.arange(1, mesh.size + 1)
    numbers = [FACES.index(name) + 1 for name in faces]
    if not faces:
        return
    file.createDimension("num_side_sets", len(faces))
    _put(file, "ss_status", ("num_side_sets",), np.ones(len(faces), np.int32))
    _put(file, "ss_prop1", ("num_side_sets",), np.array(numbers, np.int32))
    file.variables["ss_prop1"].name = "ID"
    _put(file, "ss_names", ("num_side_sets", "len_name"), _texts(list(faces), _STRING))
    for k, (name, sides) in enumerate(faces.items(), 1):
        file.createDimension(f"num_side_ss{k}", len(sides))
        _put(file, f"elem_ss{k}", (f"num_side_ss{k}",), rank[sides])
        _put(file, f"side_ss{k}", (f"num_side_ss{k}",), np.full(len(sides), _SIDES[FACES.index(name)], np.int32))


def _variables(file: netcdf_file, mesh: VoxelMesh) -> None:
    """Values of the elements; all elements of a block have the same."""
    columns = {"phase_id": [block.phase_id for block in mesh.blocks]}
    if mesh.grains is not None:
        rows = np.array([block.number - 1 for block in mesh.blocks])
        turns = {f"q{k}": q.tolist() for k, q in enumerate(mesh.grains.orientation[rows].T)}
        columns = {"grain_id": (rows + 1).tolist(), **columns, **turns}
    file.createDimension("num_elem_var", len(columns))
    _put(file, "name_elem_var", ("num_elem_var", "len_name"), _texts(list(columns), _STRING))
    _put(file, "elem_var_tab", ("num_el_blk", "num_elem_var"), np.ones((len(mesh.blocks), len(columns)), np.int32))
    for k, values in enumerate(columns.values(), 1):
        for b, value in enumerate(values, 1):
            there = np.full((1, len(mesh.blocks[b - 1].elements)), float(value))
            _put(file, f"vals_elem_var{k}eb{b}", ("time_step", f"num_el_in_blk{b}"), there)
