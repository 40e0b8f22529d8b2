"""Equations that make a mesh of voxels periodic: each node on an upper face moves as its image, plus a reference node.

u(node) - u(image) = sum over axes of shift_a u(reference a), where shift_a is the number of periods between them; the
displacement of reference a is then that of the macroscopic gradient H over a period, H L_a e_a. Edges and corners are
images of one another along several axes: of all images of a node one is kept, and the others each follow it once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.io.voxel_mesh import VoxelMesh


@dataclass(frozen=True, eq=False)
class Ties:
    """Nodes that follow others; no node follows and is followed."""

    node: np.ndarray
    """int64 [n]: nodes that follow, each once."""
    image: np.ndarray
    """int64 [n]: the node that it follows."""
    shift: np.ndarray
    """int8 [n, 3]: periods from the image to the node along x, y, z: -1, 0 or 1."""


def periodic_ties(mesh: VoxelMesh) -> Ties:
    """The ties of all nodes in use on the faces of periodic axes.

    A node that is used on one side only, for the other side is void, has nothing to follow.
    """
    nodes = np.flatnonzero(mesh.used)
    place = np.stack(np.unravel_index(nodes, mesh.node_shape, order="F"), axis=1)
    wrapped, shape = place.copy(), np.array(mesh.grid.shape)
    for axis in np.flatnonzero(mesh.grid.periodic):
        wrapped[:, axis] %= shape[axis]
    base = np.ravel_multi_index(tuple(wrapped.T), mesh.node_shape, order="F")
    # Numbers rise with x, then y, then z: the first of a class is the lowest image that is used.
    _, first, which = np.unique(base, return_index=True, return_inverse=True)
    image = first[which]
    follows = np.flatnonzero(image != np.arange(len(nodes)))
    shift = (place[follows] - place[image[follows]]) // shape
    return Ties(nodes[follows], nodes[image[follows]], shift.astype(np.int8))
