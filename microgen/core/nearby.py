"""Sweeps of the part of a box in which few sites change: what the rest holds is known and stays.

A box of voxels can only change where a site that changes has a part of it, before or after, so that counts of the whole
are those of before, less the part as it was, and the part as it is.
"""

from __future__ import annotations

import numpy as np

from microgen.core.kernels import cpu
from microgen.core.power_diagram import PowerDiagram
from microgen.grid import Grid

WHOLE = 0.5  # share of the box from which all of it is swept


class Nearby:
    """Counts and volumes of the whole box, as the weights of a few sites change."""

    def __init__(self, diagram: PowerDiagram, grid: Grid, weights: np.ndarray, counts: np.ndarray, volumes: np.ndarray):
        """`counts` and `volumes` [n] are those of the whole box at these weights."""
        self.diagram, self.lattice = diagram, diagram.solver_lattice(grid)
        self.counts, self.volumes = counts, volumes
        """Of what lies outside of the part."""
        self.tree = diagram.solver_tree(weights)
        """As last swept."""
        self.active = np.zeros(len(weights), bool)
        """bool [n]: the sites that may change."""
        self.part = np.zeros(int(np.prod(-(-self.lattice.shape // cpu.COARSE))), bool)
        """The coarse boxes that are swept."""
        self.found = self.active, -1.0, self.part
        """Sites, reach, and the boxes that these touch in `tree`: to look for them takes a good part of a sweep."""

    def grow(self, active: np.ndarray) -> None:
        self.active = self.active | active

    def share(self, reach: float) -> float:
        """Share of the box that is swept next."""
        return float((self.part | self._touched(reach)).mean())

    def sweep(self, weights: np.ndarray, want: cpu.Wanted, room: cpu.Sweep) -> cpu.Sweep:
        """Counts and volumes of the whole; records of the part.

        The diagram at these weights differs from what was last swept at active sites at most. Volumes of sites that
        are not followed come out as anything, as in any sweep.
        """
        want, tree, last = want._replace(labels=False), self.diagram.solver_tree(weights), self.tree
        part = self.part
        if not np.array_equal(tree.rows, last.rows):
            active, _, boxes = self.found
            if not np.array_equal(active, self.active) or (boxes & ~part).any():  # else they are swept already
                part = part | self._touched(0.0)
            self.tree, self.found = tree, (self.active, -1.0, part)
        part = part | self._touched(want.reach)
        more = np.flatnonzero(part & ~self.part)
        if len(more):
            before = cpu.sweep(last, self.lattice, want._replace(reach=-1.0), room, boxes=more)
            self.counts, self.volumes = self.counts - before.counts, self.volumes - before.volumes
        self.part = part
        if not part.any():
            for used in (room.pair_used, room.flip_used):
                used.fill(0)
            return room._replace(counts=self.counts, volumes=self.volumes)
        swept = cpu.sweep(tree, self.lattice, want, room, boxes=np.flatnonzero(part))
        return swept._replace(counts=self.counts + swept.counts, volumes=self.volumes + swept.volumes)

    def _touched(self, reach: float) -> np.ndarray:
        """The boxes that active sites touch in `tree`."""
        active, known, boxes = self.found
        if known != max(reach, 0.0) or not np.array_equal(active, self.active):
            boxes = np.zeros_like(boxes)
            if self.active.any():
                boxes = cpu.touched(self.tree, self.lattice, self.active, reach)
            self.found = self.active, max(reach, 0.0), boxes
        return boxes
