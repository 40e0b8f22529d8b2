"""A sample as a mesh without gaps: made once, with its figures, for any number of files (see `volume_mesh`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microgen.io import gmsh_program, volume_mesh
from microgen.meshing.conforming import Conforming, conform, labels_of
from microgen.meshing.tetrahedra import Tetrahedra, interfaces, shapes, tetrahedra
from microgen.microstructure import Microstructure

RIGHT = 0.01
"""Error of its volume from which a label counts as off."""


@dataclass(frozen=True, eq=False)
class Meshed:
    """Smoothed interfaces of a sample, and the tetrahedra between them where they were asked for."""

    sample: Microstructure
    mesh: Conforming
    cells: Tetrahedra | None = None

    @property
    def figures(self) -> dict[str, Any]:
        """What became of the volumes, and how well shaped the tetrahedra are."""
        error = self.mesh.volume_error
        voxels = np.bincount(labels_of(self.sample).ravel(), minlength=len(error))
        worst = int(np.abs(error).argmax())
        found: dict[str, Any] = {
            "labels": int(np.count_nonzero(voxels)),
            "labels_off": int((np.abs(error) > RIGHT).sum()),
            "volume_error_max": float(np.abs(error).max()),
            "worst": {"label": worst, "voxels": int(voxels[worst]), "error": float(error[worst])},
            "changed": self.mesh.changed,
        }
        if self.cells is None:
            return found
        shape = shapes(self.cells)
        found |= {"tetrahedra": len(shape), "nodes": len(self.cells.points), "shape_mean": float(shape.mean())}
        return found | {"shape_percentile_1": float(np.quantile(shape, 0.01)), "shape_min": float(shape.min())}


def smoothed(ms: Microstructure, *, element: float = 1.0) -> Meshed:
    """See `microgen.meshing.conforming.conform`."""
    return Meshed(ms, conform(ms, element=element))


def filled(made: Meshed, *, mesher: str = "lattice", threads: int = 1) -> Meshed:
    """With tetrahedra: of the elements (lattice), or by the user's gmsh (see `gmsh_program.fill`)."""
    cells = gmsh_program.fill(made.mesh, threads=threads) if mesher == "gmsh" else tetrahedra(made.mesh)
    return Meshed(made.sample, made.mesh, cells)


def write(made: Meshed, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Tetrahedra or interfaces, as the suffix says; returns the paths."""
    if path.suffix.lower() in volume_mesh.SURFACES:
        return volume_mesh.write_interfaces(interfaces(made.mesh), made.sample, path, overwrite=overwrite)
    cells = made.cells or tetrahedra(made.mesh)
    return volume_mesh.write_tetrahedra(cells, made.sample, path, overwrite=overwrite)


def lines(figures: dict[str, Any]) -> list[str]:
    """The figures for a reader."""
    told = [
        f"volumes   of {figures['labels']} labels, the largest error {figures['volume_error_max']:.2%}; "
        f"{figures['changed']} elements changed hands where a label touched itself along an edge"
    ]
    if "tetrahedra" in figures:
        told.append(
            f"tetra     {figures['tetrahedra']} tetrahedra, {figures['nodes']} nodes, none inverted; shape (1: regular)"
            f" {figures['shape_mean']:.2f} in the mean, 1 % below {figures['shape_percentile_1']:.2f}, "
            f"least {figures['shape_min']:.2f}"
        )
    return told


def warnings(figures: dict[str, Any]) -> list[str]:
    """What is not as it should be, in words."""
    off, worst = figures["labels_off"], figures["worst"]
    if not off:
        return []
    return [
        f"{off} of {figures['labels']} volumes are off by more than {RIGHT:.0%}, the worst by {worst['error']:+.1%} "
        f"(label {worst['label']}, {worst['voxels']} voxels): use a smaller --element"
    ]
