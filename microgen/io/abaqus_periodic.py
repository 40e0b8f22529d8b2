"""Abaqus input (.inp) of a periodic sample, with *EQUATIONs that tie its faces: `--format abaqus-periodic`.

Nodes of the set REF_X (Y, Z) carry the elongation of the box along that axis: prescribe their displacement H L_a e_a
(or a force, for a mean stress) and hold the node of the set FIXED. As `periodic` says, each node follows once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter
from microgen.io import abaqus
from microgen.io.periodic import Ties, periodic_ties
from microgen.io.voxel_mesh import VoxelMesh, voxel_mesh
from microgen.microstructure import Microstructure

NAME = "abaqus-periodic"
SUFFIXES = (".inp",)
NEEDS = ("volume",)

_LINES = 2**12


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return abaqus.holds(ms) | {"periodic"}


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the mesh as `abaqus` does, with equations along the periodic axes.

    Raises InvalidParameter for samples that are not periodic, and for those that `abaqus` refuses.
    """
    mesh = voxel_mesh(ms, "Abaqus", most=abaqus.MOST - 3)
    if not any(mesh.grid.periodic):
        remedy = "Make a periodic sample (--periodic xyz), or leave out --format."
        raise InvalidParameter("periodic", expected="a sample that repeats", got=mesh.grid.periodic, remedy=remedy)
    ties, first = periodic_ties(mesh), mesh.used.size + 1
    with open(path, "wb") as file:
        file.write(abaqus.heading(ms, mesh))
        file.writelines(abaqus.node_lines(mesh))
        file.write(_references(mesh, first))
        file.writelines(abaqus.model_lines(mesh))
        file.writelines(_equations(ties, first))
        file.write(_next_step(mesh))


def _references(mesh: VoxelMesh, first: int) -> bytes:
    """The reference nodes, numbered from `first`, in the table of nodes and in sets; and the node to hold."""
    nodes, sets = "", ""
    for axis in np.flatnonzero(mesh.grid.periodic):
        place = list(mesh.grid.origin)
        place[axis] += mesh.grid.lengths[axis]
        nodes += f"{first + axis},{','.join(map(repr, place))}\n"
        sets += f"*NSET, NSET=REF_{'XYZ'[axis]}\n{first + axis}\n"
    return (nodes + sets).encode() + abaqus.node_set("FIXED", np.flatnonzero(mesh.used)[:1])


def _equations(ties: Ties, first: int) -> Iterator[bytes]:
    """Three equations a tie, one a direction; those with the same axes under one keyword are of one length."""
    yield b"** periodic equations: the first node of each is the one that follows\n"
    for shift in np.unique(ties.shift, axis=0):
        rows = np.flatnonzero((ties.shift == shift).all(axis=1))
        axes = np.flatnonzero(shift)
        for start in range(0, len(rows), _LINES):
            chunk = rows[start : start + _LINES]
            yield b"".join(_equation(ties, int(row), axes, first=first) for row in chunk)


def _equation(ties: Ties, row: int, axes: np.ndarray, *, first: int) -> bytes:
    """At most four terms a line."""
    node, image = int(ties.node[row]) + 1, int(ties.image[row]) + 1
    text = ""
    for d in (1, 2, 3):
        terms = [f"{node},{d},1.0", f"{image},{d},-1.0"]
        terms += [f"{first + axis},{d},{-int(ties.shift[row, axis])}.0" for axis in axes]
        lines = [",".join(terms[k : k + 4]) for k in range(0, len(terms), 4)]
        text += f"*EQUATION\n{len(terms)}\n" + ",\n".join(lines) + "\n"
    return text.encode()


def _next_step(mesh: VoxelMesh) -> bytes:
    """A step as an example, in comments: one per cent along the first periodic axis; the sheared terms stop turning."""
    axes = np.flatnonzero(mesh.grid.periodic).tolist()
    stretch = 0.01 * mesh.grid.lengths[axes[0]]
    held = "".join(f"** REF_{'XYZ'[a]}, {a + 2}, 3\n" for a in axes if a < 2)
    return (
        "** ---- STEP: TO BE FILLED IN; for one per cent along an axis, with sides free to move:\n"
        "** *STEP, NLGEOM=NO\n** *STATIC\n** *BOUNDARY\n** FIXED, 1, 3\n"
        f"** REF_{'XYZ'[axes[0]]}, {axes[0] + 1}, {axes[0] + 1}, {stretch!r}\n{held}** *END STEP\n"
    ).encode()
