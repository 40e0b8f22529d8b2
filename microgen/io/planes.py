"""Volumes [x, y, z] in the order of files, x fastest: turned slab by slab on all cores, and written meanwhile.

A slab and the one being written are all the memory that is taken. numpy turns a large volume at a tenth of the speed:
voxels that follow each other in the file lie a whole plane apart, in lines of the cache that push each other out. So
rows of a slab are brought together first and turned in pieces that fit the cache.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from microgen.microstructure import TiledMicrostructure

SLAB = 48
"""Planes in a slab of four bytes a voxel."""
LARGE = 2**28
"""Bytes of values above which files are not packed: that would take longer than writing."""
TILED = 2**26
"""Voxels of a slab of a sample that is never held as a whole, about."""
Progress = Callable[[float, str], None]
_SYNCED = 2**24
_ROWS = 4
"""Layers of y turned at a time: 4 x 48 x 512 voxels of four bytes are 384 KiB."""


def _turned(values: np.ndarray, start: int, stop: int, *, out: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
    """Planes start .. stop of values [x, y, z] as [z, y, x] in the first planes of `out`."""
    out = out[: stop - start]

    def turn(row: int) -> None:
        rows = np.ascontiguousarray(values[:, row : row + _ROWS, start:stop].transpose(1, 0, 2))
        if rows.dtype.itemsize == out.dtype.itemsize and rows.dtype.kind in "iu" and out.dtype.kind in "iu":
            rows = rows.view(out.dtype.newbyteorder(rows.dtype.byteorder))  # numpy converts slower than it copies
        for k, plane in enumerate(rows):  # plane by plane: of three axes numpy takes a worse order
            out[:, row + k] = plane.T

    list(pool.map(turn, range(0, values.shape[1], _ROWS)))
    return out


def slabs(values: np.ndarray, dtype: np.dtype, *, thick: int = 0) -> Iterator[np.ndarray]:
    """Values [x, y(, z)] as blocks [z, y, x] of `thick` planes, one after the other.

    A block is valid until the one after the next is asked for: two buffers are used in turns.
    """
    volume = values if values.ndim == 3 else values[:, :, None]
    nx, ny, nz = volume.shape
    thick = min(thick or max(1, SLAB * 4 // max(4, dtype.itemsize)), nz)
    buffers = [np.empty((thick, ny, nx), dtype) for _ in range(min(2, -(-nz // thick)))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for k, start in enumerate(range(0, nz, thick)):
            yield _turned(volume, start, min(start + thick, nz), out=buffers[k % 2], pool=pool)


def tiled(ms: TiledMicrostructure, dtype: np.dtype, *, progress: Progress | None = None) -> Iterator[np.ndarray]:
    """The grain labels of a sample that is never held as a whole, as blocks [z, y, x] of some planes."""
    nx, ny, nz = ms.grid.shape
    thick = 16 * max(1, min(SLAB, TILED // (nx * ny)) // 16)  # boxes of the diagram are 16 wide
    starts = range(0, nz, thick)
    boxes = [((0, 0, z), (nx, ny, min(z + thick, nz))) for z in starts]
    for z, labels in zip(starts, ms.tiles.many(boxes)):
        if progress is not None:
            progress(z / nz, f"plane {z} of {nz}")
        yield from slabs(labels, dtype, thick=thick)


def looked_up(values: np.ndarray, table: np.ndarray) -> Iterator[np.ndarray]:
    """Rows `table[value]` of values [x, y(, z)], x fastest, in blocks of a quarter of a slab's voxels or so."""
    width = table.itemsize * table[0].size
    thick = max(1, SLAB * 4 // max(4, width + values.itemsize))
    outs: list[np.ndarray] = []
    for k, slab in enumerate(slabs(values, values.dtype, thick=thick)):
        if len(outs) < 2:
            outs.append(np.empty((slab.size, *table.shape[1:]), table.dtype))
        if slab.max() >= len(table):
            raise IndexError(f"{slab.max()} in a table of {len(table)} rows")
        yield np.take(table, slab.ravel(), axis=0, out=outs[k % 2][: slab.size], mode="clip")  # "raise" makes a copy


def pour(file: Any, blocks: Iterable[np.ndarray]) -> None:
    """Write the bytes of each block while the next one is made; large ones go to the disk meanwhile."""
    written: Future[None] | None = None
    synced: Future[None] | None = None
    with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(1) as syncer:
        for block in blocks:
            if written is not None:
                written.result()
                # Else all of it would wait for the end, where a file is brought to the disk before it gets its name.
                if (synced is None or synced.done()) and block.nbytes >= _SYNCED and _on_disk(file):
                    synced = syncer.submit(os.fdatasync, file.fileno())
            written = writer.submit(_write, file, block.reshape(-1).view(np.uint8))
        for future in (written, synced):
            if future is not None:
                future.result()


def _on_disk(file: Any) -> bool:
    return hasattr(os, "fdatasync") and isinstance(file, io.BufferedWriter | io.BufferedRandom)


def _write(file: Any, data: np.ndarray) -> None:
    file.write(data.data)
    if _on_disk(file):  # a packer's flush would cost size
        file.flush()
