"""The container of VTK's XML image data: head, packed blocks of raw appended data, and back.

Written block by block without VTK: no copy of a whole volume of quaternions is held, blocks are packed on all cores,
and `import vtk` is not paid for. Read without VTK, which prints on damage instead of raising and trusts every header.
Layout after VTK's XML format 1.0: each array is [number of blocks, bytes of a block, bytes of a shorter last one or 0,
packed bytes of each block] followed by the blocks; cells x fastest.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io.embedded import check_claim

KINDS = {"Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4"}
KINDS |= {"Int64": "i8", "UInt64": "u8", "Float32": "f4", "Float64": "f8", "String": "S1"}
_BLOCK = 2**16
"""Rows a block: a megabyte of quaternions, large enough to pack well and small enough to share out."""
_LONGEST_HEAD = 2**24


@dataclass(frozen=True)
class Array:
    """An array to write: `values(start, stop)` gives these rows, so that no array need exist as a whole."""

    name: str
    kind: str
    components: int
    rows: int
    values: Callable[[int, int], np.ndarray]


def text_array(name: str, text: str) -> Array:
    """A text (ASCII) as the array of bytes VTK wants."""
    data = np.frombuffer(text.encode("ascii") + b"\0", dtype="S1")
    return Array(name, "String", 1, len(data), lambda a, b: data[a:b])


def write_image(path: str | Path, grid: Grid, *, fields: list[Array], cells: list[Array]) -> None:
    """Write image data with texts in FieldData and arrays per cell, x fastest."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        packed = [_packed(array, pool) for array in fields + cells]
    offsets = np.cumsum([0] + [sum(map(len, pieces)) for pieces in packed]).tolist()
    with open(path, "wb") as file:
        file.write(_head(grid, list(zip(fields, offsets)), list(zip(cells, offsets[len(fields) :]))).encode())
        for pieces in packed:
            file.writelines(pieces)
        file.write(b"\n</AppendedData>\n</VTKFile>\n")


def _packed(array: Array, pool: ThreadPoolExecutor) -> list[bytes]:
    dtype = np.dtype("<" + KINDS[array.kind])
    width = array.components * dtype.itemsize

    def pack(start: int) -> bytes:
        values = array.values(start, min(start + _BLOCK, array.rows))
        return zlib.compress(np.ascontiguousarray(values, dtype=dtype).data, 1)

    blocks = list(pool.map(pack, range(0, array.rows, _BLOCK)))
    header = [len(blocks), _BLOCK * width, array.rows % _BLOCK * width, *map(len, blocks)]
    return [np.array(header, dtype="<u8").tobytes(), *blocks]


def _head(grid: Grid, fields: list[tuple[Array, int]], cells: list[tuple[Array, int]]) -> str:
    # A plane lies at z = 0 and its cells are flat.
    extent = " ".join(f"0 {n}" for n in (*grid.shape, 0)[:3])
    origin = " ".join(repr(o) for o in (*grid.origin, 0.0)[:3])
    spacing = " ".join(repr(h) for h in (*grid.spacing, 1.0)[:3])
    field_xml = "".join(
        f'<Array type="String" Name={quoteattr(a.name)} NumberOfTuples="1" format="appended" offset="{at}"/>\n'
        for a, at in fields
    )
    cell_xml = "".join(
        f'<DataArray type="{a.kind}" Name={quoteattr(a.name)} NumberOfComponents="{a.components}" '
        f'format="appended" offset="{at}"/>\n'
        for a, at in cells
    )
    return (
        '<?xml version="1.0"?>\n<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" '
        'header_type="UInt64" compressor="vtkZLibDataCompressor">\n'
        f'<ImageData WholeExtent="{extent}" Origin="{origin}" Spacing="{spacing}">\n'
        f'<FieldData>\n{field_xml}</FieldData>\n<Piece Extent="{extent}">\n'
        f'<CellData Scalars="{cells[0][0].name}">\n{cell_xml}</CellData>\n</Piece>\n</ImageData>\n'
        '<AppendedData encoding="raw">\n_'
    )


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A .vti that has been opened: its grid, and its arrays by name, unpacked when asked for."""

    path: Path
    grid: Grid
    fields: dict[str, ElementTree.Element] = field(repr=False)
    cells: dict[str, ElementTree.Element] = field(repr=False)
    order: str
    """"<" or ">": byte order."""
    header: str
    """numpy type of the block headers."""
    packed: bool
    start: int
    """Where the appended data begin in the file."""

    @classmethod
    def open(cls, path: str | Path) -> ImageFile:
        """Read the head. Raises UnreadableFile, and UnsupportedFormat for encodings other than raw appended data."""
        path = Path(path)
        if not path.is_file():
            raise UnreadableFile(path, "is not a file" if path.exists() else "does not exist", remedy="Check the path.")
        try:
            with open(path, "rb") as file:
                root, start = _parsed_head(file, path)
            return cls._from_head(path, root, start)
        except (ValueError, KeyError, TypeError, OverflowError, OSError, ElementTree.ParseError) as error:
            raise UnreadableFile(path, f"is no whole .vti ({error})", remedy="Write or copy it again.") from error

    @classmethod
    def _from_head(cls, path: Path, root: ElementTree.Element, start: int) -> ImageFile:
        image, compressor = root.find("ImageData"), root.get("compressor", "")
        if root.get("type") != "ImageData" or image is None:
            raise UnsupportedFormat(f"{path}: expected VTK image data, got {root.get('type')}.")
        pieces = image.findall("Piece")
        if compressor not in ("", "vtkZLibDataCompressor") or len(pieces) != 1:
            raise UnsupportedFormat(f"{path}: expected one piece packed by zlib, got {len(pieces)} by {compressor!r}.")
        return cls(
            path,
            _grid(image, path),
            {e.get("Name", ""): e for e in image.findall("FieldData/Array")},
            {e.get("Name", ""): e for e in pieces[0].findall("CellData/DataArray")},
            {"LittleEndian": "<", "BigEndian": ">"}[root.get("byte_order", "LittleEndian")],
            {"UInt32": "u4", "UInt64": "u8"}[root.get("header_type", "UInt32")],
            bool(compressor),
            start,
        )

    def text(self, name: str) -> str | None:
        """A text of FieldData; None when there is none of that name. Raises UnreadableFile."""
        if name not in self.fields:
            return None
        return self._bytes(self.fields[name], None).split(b"\0")[0].decode("ascii", "replace")

    def cell_array(self, name: str) -> np.ndarray:
        """Values per cell in order [x, y(, z)], components last. Raises UnreadableFile."""
        element = self.cells[name]
        try:
            dtype = np.dtype(self.order + KINDS[element.get("type", "")])
            components = int(element.get("NumberOfComponents", "1"))
        except (KeyError, ValueError) as error:
            raise UnreadableFile(self.path, f"array {name} has no valid type ({error})") from error
        expected = self.grid.size * components * dtype.itemsize
        check_claim(self.path, expected)
        values = np.frombuffer(self._bytes(element, expected), dtype=dtype)
        shape = (components, *self.grid.shape) if components > 1 else self.grid.shape
        values = values.reshape(shape, order="F")
        return np.moveaxis(values, 0, -1) if components > 1 else values

    def _bytes(self, element: ElementTree.Element, expected: int | None) -> bytes | bytearray:
        if element.get("format") != "appended":
            raise UnsupportedFormat(
                f"{self.path}: expected raw appended data, got {element.get('format')}. "
                "Save it again as appended, not encoded."
            )
        try:
            with open(self.path, "rb") as file:
                file.seek(self.start + int(element.get("offset", "0")))
                return self._unpack(file, expected) if self.packed else self._plain(file, expected)
        except (ValueError, OSError, OverflowError, MemoryError, zlib.error) as error:
            name = element.get("Name")
            raise UnreadableFile(self.path, f"array {name} is truncated or damaged ({error})") from error

    def _numbers(self, file: BinaryIO, count: int) -> list[int]:
        dtype = np.dtype(self.order + self.header)
        return np.frombuffer(_exactly(file, count * dtype.itemsize, self.path), dtype=dtype).tolist()

    def _plain(self, file: BinaryIO, expected: int | None) -> bytes:
        (size,) = self._numbers(file, 1)
        if expected is not None and size != expected:
            raise ValueError(f"{size} bytes where {expected} were expected")
        return _exactly(file, size, self.path)

    def _unpack(self, file: BinaryIO, expected: int | None) -> bytearray:
        count, size, last = self._numbers(file, 3)
        total = count * size if not last else (count - 1) * size + last
        if expected is not None and total != expected:
            raise ValueError(f"{total} bytes where {expected} were expected")
        check_claim(self.path, total)
        out = bytearray()
        for number, packed in enumerate(self._numbers(file, count)):
            wanted = last if last and number == count - 1 else size
            stream = zlib.decompressobj()
            block = stream.decompress(_exactly(file, packed, self.path), wanted + 1)
            if len(block) != wanted or not stream.eof:
                raise ValueError(f"block {number} is not {wanted} bytes")
            out += block
        return out


def _exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    # Asked before reading: read() would first make room for whatever a damaged header announces.
    if count > path.stat().st_size - file.tell():
        raise ValueError("the file ends too early")
    return file.read(count)


def _parsed_head(file: BinaryIO, path: Path) -> tuple[ElementTree.Element, int]:
    """The XML before the appended data, and where these begin."""
    head = file.read(_LONGEST_HEAD)
    at = head.find(b"<AppendedData")
    if at < 0:
        root = ElementTree.fromstring(head)
        raise UnsupportedFormat(f"{path}: expected VTK data in an appended block, got <{root.tag}> without one.")
    ends = head.find(b">", at)
    if b'encoding="raw"' not in head[at:ends]:
        raise UnsupportedFormat(f"{path}: expected raw appended data. Save it again as appended, not encoded.")
    start = head.find(b"_", ends)
    if min(ends, start) < 0:
        raise ValueError("the appended data do not begin")
    file.seek(max(0, os.fstat(file.fileno()).st_size - 64))
    if b"</VTKFile>" not in file.read():
        raise ValueError("the file ends too early")
    return ElementTree.fromstring(head[:at] + b"</VTKFile>"), start + 1


def _grid(image: ElementTree.Element, path: Path) -> Grid:
    extent = [int(n) for n in image.attrib["WholeExtent"].split()]
    origin, spacing = ([float(v) for v in image.attrib[name].split()] for name in ("Origin", "Spacing"))
    shape = [b - a for a, b in zip(extent[::2], extent[1::2], strict=True)]
    if any(extent[::2]) or len(shape) != 3:
        raise UnsupportedFormat(f"{path}: expected an extent that starts at 0, got {extent}.")
    ndim = 2 if shape[2] == 0 else 3
    return Grid(tuple(shape[:ndim]), tuple(spacing[:ndim]), tuple(origin[:ndim]))
