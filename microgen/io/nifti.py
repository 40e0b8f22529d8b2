"""NIfTI (.nii, .nii.gz): labels, level sets and grey values with spacing and origin. Files are x fastest.

Spacing and origin are float32 in the header; the exact ones, phases and provenance are JSON in an extension of kind
"comment". Layout after nifti1.h (nifti.nimh.nih.gov): the affine gives the centre of the first voxel.
"""

from __future__ import annotations

import gzip
import json
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io import embedded as emb, one_array
from microgen.io.atomic import final_name
from microgen.io.grey import DAMAGE, all_positive, grey_volume
from microgen.io.packed import Stream, exactly
from microgen.io.planes import pour, slabs
from microgen.microstructure import Microstructure

NAME = "nifti"
SUFFIXES = (".nii.gz", ".nii")
MAGIC = (b"\x5c\1\0\0", b"\x1f\x8b")
"""The size of the header, ours being little endian, and gzip."""

holds = one_array.holds

_UNITS = {"meter": 1e6, "mm": 1e3, "micron": 1.0}
_TYPES = ("u1", "i2", "i4", "f4", "f8", "i1", "u2", "u4", "i8", "u8")
_LONGEST_AXIS = 32767
_COMMENT = 6
_LARGEST_NOTE = 2**28


def write(ms: Microstructure, path: str | Path) -> None:
    """Write grain labels, else the level set, else grey values, else phases (+ 1); packed where the name ends in .gz.

    Raises InvalidParameter when there is none of them, the grid is not square, or an axis has above 32767 voxels.
    """
    name, values = one_array.chosen(ms, "a NIfTI")
    if max(values.shape) > _LONGEST_AXIS:
        expected = f"at most {_LONGEST_AXIS} voxels along each axis of a NIfTI"
        raise InvalidParameter("shape", expected=expected, got=values.shape, remedy="Write a .nrrd or .zarr.")
    if values.dtype.newbyteorder("=").str[1:] not in _TYPES:
        values = values.astype(np.float32)
    dtype = values.dtype.newbyteorder("<")
    with open(path, "wb") as file:
        if final_name(path).lower().endswith(".gz"):
            # No name and no time in it, so that the same sample gives the same bytes.
            with gzip.GzipFile("", "wb", 1, file, mtime=0) as packed:
                _write(packed, _head(ms, name, dtype), values)
        else:
            _write(file, _head(ms, name, dtype), values)


def _write(file: Any, head: bytes, values: np.ndarray) -> None:
    file.write(head)
    pour(file, slabs(values, values.dtype.newbyteorder("<")))


def _head(ms: Microstructure, name: str, dtype: np.dtype) -> bytes:
    from nibabel.nifti1 import Nifti1Header

    grid = emb.square_grid(ms, "a NIfTI")
    texts = {"sample": one_array.sample_json(ms, name), "provenance": emb.provenance_json(emb.provenance_of(ms))}
    note = json.dumps({"microgen": texts}).encode("ascii")
    note += b"\0" * (-(len(note) + 8) % 16)
    header = Nifti1Header(endianness="<")
    header.set_data_dtype(dtype)
    header.set_data_shape(grid.shape)
    header.set_xyzt_units("micron")
    affine = np.diag([*(*grid.spacing, 1.0)[:3], 1.0])
    affine[: grid.ndim, 3] = np.array(grid.origin) + np.array(grid.spacing) / 2
    header.set_qform(affine, code="scanner")
    header.set_sform(affine, code="scanner")
    header["descrip"] = f"microgen {name}".encode()
    header["vox_offset"] = 352 + 8 + len(note)
    header["magic"] = b"n+1"
    return header.binaryblock + b"\1\0\0\0" + struct.pack("<ii", 8 + len(note), _COMMENT) + note


def read(path: str | Path) -> Microstructure:
    """Read our own samples whole, and of others grey values, scaled as the header says.

    Without a unit millimetres are taken, as usual, and noted. Raises UnreadableFile for damaged files,
    UnsupportedFormat for colours and series.
    """
    path = Path(path)
    with _opened(path) as (file, header):
        found = _embedded(file, header, path)
        values = _values(file, header, path)
        unit = str(header.get_xyzt_units()[0])
        sizes = tuple(float(h) for h in header.get_zooms())
        origin = _origin(header)
    if found.grid is not None:
        return one_array.restored(values, found, path)
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    notes = () if unit in _UNITS else ("the file states no unit: mm taken",)
    factor = _UNITS.get(unit, 1e3)
    spacing = tuple(h * factor for h in sizes[: values.ndim])
    if not all_positive(spacing):
        return grey_volume(values, path, spacing=None, notes=notes)
    ms = grey_volume(values, path, spacing=spacing, notes=notes)
    return one_array.placed(ms, origin=tuple(o * factor for o in origin[: values.ndim])) if origin else ms


def read_embedded(path: str | Path) -> emb.Embedded:
    """Grid, phases and provenance without the values. Raises UnreadableFile."""
    with _opened(Path(path)) as (file, header):
        return _embedded(file, header, Path(path))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Stream, Any]]:
    """The unpacked file behind its header; what goes wrong in it is raised as UnreadableFile."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    try:
        with open(path, "rb") as file:
            stream: Any = gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == b"\x1f\x8b" else file
            start = bytes(exactly(stream, 348))
            second = start[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c")
            kind = Nifti2Header if second else Nifti1Header
            header = kind(start + bytes(exactly(stream, 540 - 348)) if second else start)
            if bytes(header["magic"].item())[:3] not in (b"n+1", b"n+2"):
                raise ValueError("it is no NIfTI of one file")
            yield stream, header
    except (*DAMAGE, RecursionError, struct.error, HeaderDataError, WrapStructError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UnreadableFile(path, f"is no whole NIfTI ({reason})", remedy="Write or copy it again.") from error


def _embedded(file: Stream, header: Any, path: Path) -> emb.Embedded:
    """Our description among the notes between header and data; leaves the file where the data begin."""
    found, left = emb.Embedded(), int(header["vox_offset"]) - int(header["sizeof_hdr"])
    if not 0 <= left <= min(_LARGEST_NOTE, 1100 * path.stat().st_size):
        raise ValueError(f"the data begin at byte {header['vox_offset']}")
    between = bytes(exactly(file, left))
    at = 4
    while between[:1] not in (b"", b"\0") and at + 8 <= left:
        size, code = struct.unpack(f"{header.endianness}ii", between[at : at + 8])
        if not 8 <= size <= left - at:
            break  # others leave room here that holds no notes
        note = between[at + 8 : at + size].rstrip(b"\0")
        if code == _COMMENT and note.startswith(b'{"microgen"'):
            texts = json.loads(note)["microgen"]
            found = emb.parse(texts["sample"], texts["provenance"], path)
        at += size
    return found


def _values(file: Stream, header: Any, path: Path) -> np.ndarray:
    shape, dtype = tuple(int(n) for n in header.get_data_shape()), header.get_data_dtype()
    if not shape or min(shape) < 1 or dtype.itemsize == 0:
        raise ValueError(f"it announces {dtype} {shape}")
    wanted = math.prod(shape) * dtype.itemsize
    emb.check_claim(path, wanted)
    flat = _plain(file, dtype, wanted) if hasattr(file, "fileno") and hasattr(file, "raw") else None
    values = np.frombuffer(exactly(file, wanted), dtype) if flat is None else flat
    slope, shift = header.get_slope_inter()
    if slope is not None and (slope, shift) != (1, 0) and dtype.kind in "iuf":
        values = values * slope + shift
    return values.reshape(shape, order="F")


def _plain(file: Any, dtype: np.dtype, wanted: int) -> np.ndarray:
    """Values of a file that is not packed, without a second copy."""
    start = file.tell()
    there = file.seek(0, 2) - start
    if there < wanted:
        raise ValueError(f"ends after {there} of {wanted} bytes")
    file.seek(start)
    return np.fromfile(file, dtype, wanted // dtype.itemsize)


def _origin(header: Any) -> tuple[float, ...] | None:
    """Corner of the first voxel in the file's unit, where the axes of the file are those of space."""
    if int(header["qform_code"]) == 0 and int(header["sform_code"]) == 0:
        return None
    affine = np.asarray(header.get_best_affine(), float)
    sizes = np.diag(affine)[:3]
    if not np.isfinite(affine).all() or (affine[:3, :3] != np.diag(sizes)).any() or (sizes <= 0).any():
        return None
    return tuple(float(c - h / 2) for c, h in zip(affine[:3, 3], sizes))
