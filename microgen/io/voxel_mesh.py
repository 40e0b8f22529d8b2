"""Voxels as hexahedra: a block of elements for each grain (or phase), nodes where voxels meet; void has neither.

Elements and nodes keep the numbers of their places, x fastest and from 0: element e is voxel e of the grid, and node
(i, j, k) is i + (n_x + 1) (j + (n_y + 1) k), whether all of them are used or not.
The eight nodes of an element go around its bottom and then its top, as in Abaqus, gmsh, Exodus and VTK.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io.grain_volume import GrainVolume, grain_volume, phases_of, volume_grid
from microgen.microstructure import Microstructure, Phase

FACES = ("X_MIN", "X_MAX", "Y_MIN", "Y_MAX", "Z_MIN", "Z_MAX")
"""Names of the faces of the box, in the order axis by axis."""
SIDES = ((0, 4, 7, 3), (1, 2, 6, 5), (0, 1, 5, 4), (3, 7, 6, 2), (0, 3, 2, 1), (4, 5, 6, 7))
"""Which of an element's nodes lie on its side towards each of FACES, against the clock as seen from outside."""
_CORNERS = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)])


@dataclass(frozen=True, eq=False)
class Block:
    """The elements of one grain, or of one phase where there are no grains."""

    number: int
    """grain_id, or phase_id + 1."""
    name: str
    phase_id: int
    elements: np.ndarray
    """Numbers of its voxels, from 0, rising."""


@dataclass(frozen=True, eq=False)
class VoxelMesh:
    """The hexahedra of a sample."""

    grid: Grid
    blocks: tuple[Block, ...]
    phases: tuple[Phase, ...]
    grains: GrainVolume | None
    """Orientations; None where there are no grains."""
    used: np.ndarray
    """bool [number of places]: nodes that some element has."""

    @property
    def node_shape(self) -> tuple[int, ...]:
        """Places for nodes along each axis."""
        return tuple(n + 1 for n in self.grid.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return sum(len(block.elements) for block in self.blocks)

    def nodes_of(self, elements: np.ndarray) -> np.ndarray:
        """int64 [n, 8]: the nodes of elements."""
        return element_nodes(elements, self.grid.shape)

    def coordinates(self) -> list[np.ndarray]:
        """float64 [n + 1] an axis: where its places lie, µm."""
        return [o + h * np.arange(n + 1) for o, h, n in zip(self.grid.origin, self.grid.spacing, self.grid.shape)]

    def points(self) -> np.ndarray:
        """float64 [used, 3]: the nodes in use, in order of their numbers, µm."""
        axes = np.meshgrid(*self.coordinates()[::-1], indexing="ij")[::-1]
        return np.stack([axis.ravel()[self.used] for axis in axes], axis=1)

    def compact(self) -> np.ndarray:
        """int64 [number of places]: rank of each node among those in use."""
        return np.cumsum(self.used) - 1

    def face(self, name: str) -> np.ndarray:
        """Numbers of the nodes in use on a face of the box, rising."""
        axis, upper = divmod(FACES.index(name), 2)
        numbers = np.arange(math.prod(self.node_shape)).reshape(self.node_shape, order="F")
        plane = numbers.take(self.node_shape[axis] - 1 if upper else 0, axis).ravel(order="F")
        return plane[self.used[plane]]

    def sides(self, name: str) -> np.ndarray:
        """Numbers of the elements with a side on a face of the box, rising."""
        axis, upper = divmod(FACES.index(name), 2)
        present = np.sort(np.concatenate([block.elements for block in self.blocks]))
        place = np.unravel_index(present, self.grid.shape, order="F")[axis]
        return present[place == (self.grid.shape[axis] - 1 if upper else 0)]


def cells(ms: Microstructure) -> frozenset[str]:
    """What of a sample the elements are (see `losses`): grains, or phases where there are none, each at its place."""
    return frozenset({"phase_id", "spacing", "origin"} | ({"grain_id"} if ms.grain_id is not None else set()))


def element_nodes(elements: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """int64 [n, 8]: nodes of the voxels `elements` of a grid."""
    nx, ny, _ = shape
    rest, i = np.divmod(elements, nx)
    k, j = np.divmod(rest, ny)
    first = i + (nx + 1) * (j + (ny + 1) * k)
    steps = _CORNERS @ np.array([1, nx + 1, (nx + 1) * (ny + 1)])
    return first[:, None] + steps


def voxel_mesh(ms: Microstructure, what: str, *, most: int = 2**31 - 1) -> VoxelMesh:
    """The hexahedra of a sample for a file of `what`, which can number `most` nodes.

    Raises InvalidParameter for planes, for samples without anything solid and for more nodes than `most`.
    """
    grid = volume_grid(ms, what)
    places = math.prod(n + 1 for n in grid.shape)
    if places > most:
        remedy = "Write a coarser grid, or .vti."
        raise InvalidParameter("grid", expected=f"at most {most} nodes for {what}", got=places, remedy=remedy)
    grains = grain_volume(ms, what) if ms.grain_id is not None else None
    numbers = grains.labels if grains else ms.phase_id.astype(np.int32) + 1
    phases = grains.phases if grains else phases_of(ms, ms.phase_id)
    blocks = tuple(_blocks(numbers.ravel(order="F"), grains))
    if not blocks:
        raise InvalidParameter("phase_id", expected=f"something solid for {what}", got="a sample that is all void")
    return VoxelMesh(grid, blocks, phases, grains, _used(numbers > 0))


def _blocks(numbers: np.ndarray, grains: GrainVolume | None) -> Iterator[Block]:
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers))
    for number in range(1, len(ends)):
        elements = order[ends[number - 1] : ends[number]]
        phase = number - 1 if grains is None else int(grains.phase_id[number - 1])
        if len(elements):
            yield Block(number, f"{'PHASE' if grains is None else 'GRAIN'}_{number}", phase, elements)


def _used(solid: np.ndarray) -> np.ndarray:
    used = np.zeros([n + 1 for n in solid.shape], bool)
    for corner in _CORNERS:
        used[tuple(slice(c, c + n) for c, n in zip(corner, solid.shape))] |= solid
    return used.ravel(order="F")


def plain_names(phases: tuple[Phase, ...]) -> list[str]:
    """Names of letters, digits and underscores that begin with a letter, no two alike whatever the case."""
    names: list[str] = []
    for k, phase in enumerate(phases, 1):
        name = re.sub(r"[^A-Za-z0-9]+", "_", phase.name).strip("_")[:60] or f"PHASE_{k}"
        name = name if name[0].isalpha() else f"P_{name}"
        taken = {other.lower() for other in names}
        names.append(name if name.lower() not in taken else f"{name}_{k}")
    return names
