"""Voxels -> closed, oriented surfaces in mm: of grains, and of level sets ready to print."""

from microgen.meshing.clip import Clip
from microgen.meshing.grains import grain_surfaces, surface
from microgen.meshing.level_set import PRINTERS, Printability, Solid, level_set_mesh, printable_solid
from microgen.meshing.mesh import TriangleMesh, area, euler, is_watertight, parts, volume

__all__ = [
    "PRINTERS",
    "Clip",
    "Printability",
    "Solid",
    "TriangleMesh",
    "area",
    "euler",
    "grain_surfaces",
    "is_watertight",
    "level_set_mesh",
    "parts",
    "printable_solid",
    "surface",
    "volume",
]
