"""Grains filled with tetrahedra by the user's own gmsh, called through files and never imported (it is GPL)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import EnvironmentProblem, NotConverged
from microgen.meshing.conforming import Conforming
from microgen.meshing.tetrahedra import Interfaces, Tetrahedra, interfaces

PROGRAM = "gmsh"
_DELAUNAY = 1


def fill(mesh: Conforming, *, threads: int = 1) -> Tetrahedra:
    """Tetrahedra between the interfaces of a mesh, whose triangles stay as they are; they grow towards the inside.

    A grain in several pieces is a volume a piece. Raises EnvironmentProblem without gmsh, NotConverged when it fails.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise EnvironmentProblem("gmsh is not installed, or not on the path. Install it, or use --mesher lattice.")
    from skimage.measure import label

    pieces = np.asarray(label(mesh.labels, connectivity=1, background=0), np.int32)
    owner = np.zeros(int(pieces.max(initial=0)) + 1, np.int32)
    owner[pieces.ravel()] = mesh.labels.ravel()
    surface = interfaces(replace(mesh, labels=pieces))
    with tempfile.TemporaryDirectory(prefix="microgen_") as folder:
        _write_surfaces(surface, Path(folder) / "surface.msh")
        (Path(folder) / "volumes.geo").write_text(_volumes(surface, len(owner) - 1), encoding="ascii")
        command = [program, "-3", "volumes.geo", "-o", "mesh.msh", "-format", "msh22", "-bin", "-nt", str(threads)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
        result = Path(folder) / "mesh.msh"
        failed = [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line]
        if done.returncode or failed or not result.is_file():
            told = failed[0] if failed else f"exit {done.returncode}"
            raise NotConverged(f"gmsh could not fill the grains ({told[:200].strip()}). Use --mesher lattice.")
        return _read(result, owner)


def _write_surfaces(mesh: Interfaces, path: Path) -> None:
    """One discrete surface a pair of neighbours."""
    import meshio

    pairs, tag = np.unique(mesh.sides, axis=0, return_inverse=True)
    order = np.argsort(tag.ravel(), kind="stable")
    tags = (tag.ravel()[order] + 1).astype(np.int32)
    cells: list[Any] = [meshio.CellBlock("triangle", mesh.triangles[order])]
    data: dict[str, Any] = {"gmsh:physical": [tags], "gmsh:geometrical": [tags]}
    meshio.write(path, meshio.Mesh(mesh.points, cells, cell_data=data), file_format="gmsh22")


def _volumes(mesh: Interfaces, number: int) -> str:
    pairs = np.unique(mesh.sides, axis=0)
    lines = ['Merge "surface.msh";']
    around: dict[int, list[str]] = {piece: [] for piece in range(1, number + 1)}
    for tag, pair in enumerate(pairs.tolist(), 1):
        for side in pair:
            if side > 0:
                around[side].append(str(tag))
    for piece, tags in around.items():
        lines.append(f"Surface Loop({piece}) = {{{','.join(tags)}}}; Volume({piece}) = {{{piece}}};")
        lines.append(f"Physical Volume({piece}) = {{{piece}}};")
    lines += [f"Mesh.Algorithm3D = {_DELAUNAY};", "Mesh.MeshSizeExtendFromBoundary = 1;", "Mesh.Optimize = 1;"]
    return "\n".join(lines) + "\n"


def _read(path: Path, owner: np.ndarray) -> Tetrahedra:
    import meshio

    found = meshio.read(path, file_format="gmsh")
    kept = [k for k, block in enumerate(found.cells) if block.type == "tetra"]
    cells = np.concatenate([found.cells[k].data for k in kept])
    labels = owner[np.concatenate([found.cell_data["gmsh:physical"][k] for k in kept])]
    used, cells = np.unique(cells, return_inverse=True)
    return Tetrahedra(found.points[used], cells.reshape(-1, 4).astype(np.int32), labels)
