"""Voxels -> closed, oriented surfaces in mm: of grains, and of level sets ready to print; and surfaces inspected."""

from microgen.meshing.body import Body, fans, joined, welded
from microgen.meshing.clip import Clip
from microgen.meshing.faults import Faults, faults, told
from microgen.meshing.grains import grain_surfaces, surface
from microgen.meshing.inspection import Inspection, against, inspect
from microgen.meshing.level_set import PRINTERS, Printability, Solid, level_set_mesh, printable_solid, simplified
from microgen.meshing.mesh import TriangleMesh, area, euler, is_watertight, overhang, parts, volume
from microgen.meshing.shaping import exploded, tiled

__all__ = [
    "PRINTERS",
    "Body",
    "Clip",
    "Faults",
    "Inspection",
    "Printability",
    "Solid",
    "TriangleMesh",
    "against",
    "area",
    "euler",
    "exploded",
    "fans",
    "faults",
    "grain_surfaces",
    "inspect",
    "is_watertight",
    "joined",
    "level_set_mesh",
    "overhang",
    "parts",
    "printable_solid",
    "simplified",
    "surface",
    "tiled",
    "told",
    "volume",
    "welded",
]
