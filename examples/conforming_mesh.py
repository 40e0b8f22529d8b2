"""Tetrahedra without gaps: 40 grains, cut open, each tetrahedron in the colour of its grain.

python examples/conforming_mesh.py docs/mesh.png
"""

from __future__ import annotations

import sys

import numpy as np
import pyvista

from microgen import Grid, Polycrystal
from microgen.io import meshed
from microgen.orientation import ipf_color

sample = Polycrystal(40).sample(Grid((24, 24, 24), (1.0, 1.0, 1.0), periodic=(True, True, True)), seed=2)
made = meshed.filled(meshed.smoothed(sample))
print("\n".join(meshed.lines(made.figures)))
cells, grains = made.cells, sample.grains
assert cells is not None
assert grains is not None

mesh = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: cells.tetrahedra}, cells.points)
colours = ipf_color(grains.orientation, sample.phases[0].laue_group)
mesh.cell_data["colour"] = colours[cells.labels - 1]
middle = cells.points[cells.tetrahedra].mean(axis=1)
kept = mesh.extract_cells(np.flatnonzero((middle > 12).sum(axis=1) < 3))

plotter = pyvista.Plotter(off_screen=True, window_size=(640, 560))
plotter.add_mesh(kept, scalars="colour", rgb=True, show_edges=True, edge_color="#303030", line_width=0.5)
plotter.camera_position = [(67, 56, 47), (11.5, 11.5, 10), (0, 0, 1)]
plotter.screenshot(sys.argv[1] if len(sys.argv) > 1 else "mesh.png")
