"""A picture of a sample: its box in IPF colours along z, the corner towards the reader cut away. Needs no display.

python examples/picture.py rve.vti rve.png
"""

import sys

import numpy as np
from matplotlib.image import imsave

import microgen
from microgen.orientation import ipf_color

PIXELS, SMOOTH = 600, 3
RIGHT, DOWN = np.array([-0.71, 0.71, 0.0]), np.array([0.42, 0.42, -0.8])  # on the picture
VIEW = np.cross(RIGHT, DOWN)  # away from the reader
SHADE = np.array([0.86, 0.72, 1.0])  # of faces across x, y and z


def main(source: str, target: str) -> None:
    sample = microgen.read(source)
    if sample.grid.ndim != 3 or sample.grain_id is None:
        raise SystemExit(f"{source} is not a volume of grains")
    face, voxel = look(np.array(sample.grid.shape))
    grains, phase = sample.grain_id.ravel()[voxel], sample.phase_id.ravel()[voxel]
    picture = np.full((*face.shape, 3), 255.0)
    for k, material in enumerate(sample.phases):
        there = (face >= 0) & (phase == k)
        colours = ipf_color(sample.point_orientation.reshape(-1, 4)[voxel[there]], material.laue_group)
        picture[there] = colours * SHADE[face[there], None]
    for axis, step in ((0, 1), (0, 2), (1, 1), (1, 2)):
        same_face = np.roll(face, step, axis) == face
        picture[same_face & (face >= 0) & (np.roll(grains, step, axis) != grains)] = 0.0
    imsave(target, picture.reshape(PIXELS, SMOOTH, PIXELS, SMOOTH, 3).mean(axis=(1, 3)).astype(np.uint8))
    print(target)


def look(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each pixel the axis that its face lies across (-1: none) and the flat index of its voxel."""
    n = PIXELS * SMOOTH
    screen = 1.72 * shape.max() * ((np.arange(n) + 0.5) / n - 0.5)
    start = shape / 2 + screen[None, :, None] * RIGHT + screen[:, None, None] * DOWN
    face, voxel, nearest = np.full((n, n), -1), np.zeros((n, n), int), np.full((n, n), np.inf)
    for axis in range(3):
        others = [k for k in range(3) if k != axis]
        for plane in (shape[axis], shape[axis] // 2):  # the face of the box, and the floor of the notch
            depth = (plane - start[..., axis]) / VIEW[axis]
            at = start + depth[..., None] * VIEW
            notch = (at[..., others] >= shape[others] // 2).all(axis=-1)
            inside = ((at[..., others] >= 0) & (at[..., others] < shape[others])).all(axis=-1)
            seen = inside & (notch == (plane < shape[axis])) & (depth < nearest)
            index = np.floor(at[seen]).astype(int)
            index[:, axis] = plane - 1
            face[seen], nearest[seen] = axis, depth[seen]
            voxel[seen] = np.ravel_multi_index(tuple(index.T), tuple(shape))
    return face, voxel


if __name__ == "__main__":
    main(*sys.argv[1:])
