"""Between the modes of a box and its voxels, on the CPU: one matrix product per axis, slab by slab.

The products of a slab stay in cache, and slabs go to threads of their own: BLAS, whose threads would spin beside those
of the other kernels, is called with one thread each. Slabs have a fixed size, so results do not depend on the number of
threads. `operators._product` is the reference.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from microgen.compiled import compiled

ROWS = 8  # planes of a slab


@compiled(parallel=True)
def to_voxels(amplitudes, x, y, zt, out):
    """out[nx, ny, nz] = amplitudes [cx, cy, cz] times x [nx, cx], y [ny, cy] and zt [cz, nz] along the axes."""
    nx, ny = x.shape[0], y.shape[0]
    cx, cy, cz = amplitudes.shape
    flat = amplitudes.reshape(cx, cy * cz)
    for s in prange((nx + ROWS - 1) // ROWS):
        start, stop = s * ROWS, min((s + 1) * ROWS, nx)
        planes = np.empty((stop - start, cy * cz), out.dtype)
        np.dot(x[start:stop], flat, planes)
        rows = np.empty((ny, cz), out.dtype)
        for i in range(start, stop):
            np.dot(y, planes[i - start].reshape(cy, cz), rows)
            np.dot(rows, zt, out[i])


@compiled(parallel=True)
def from_voxels(field, xt, yt, z, out):
    """out[cx, cy, cz] = field [nx, ny, nz] times xt [cx, nx], yt [cy, ny] and z [nz, cz] along the axes."""
    nx, ny, _ = field.shape
    cx, cy, cz = out.shape
    planes = np.empty((nx, cy * cz), out.dtype)
    for s in prange((nx + ROWS - 1) // ROWS):
        rows = np.empty((ny, cz), out.dtype)
        for i in range(s * ROWS, min((s + 1) * ROWS, nx)):
            np.dot(field[i], z, rows)
            np.dot(yt, rows, planes[i].reshape(cy, cz))
    flat = out.reshape(cx, cy * cz)
    for s in prange((cx + ROWS - 1) // ROWS):
        start, stop = s * ROWS, min((s + 1) * ROWS, cx)
        np.dot(xt[start:stop], planes, flat[start:stop])
