"""The container of VTK's XML image data: head, packed blocks of raw appended data, and back.

Written block by block without VTK: no copy of a whole volume of quaternions is held, blocks are packed on all cores,
and `import vtk` is not paid for. Read without VTK, which prints on damage instead of raising and trusts every header.
Layout after VTK's XML format 1.0: each array is [number of blocks, bytes of a block, bytes of a shorter last one or 0,
packed bytes of each block] followed by the blocks; cells x fastest. Inline arrays are the same two parts in base64.
"""

from __future__ import annotations

import io
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import planes
from microgen.io.embedded import check_claim
from microgen.io.planes import looked_up, pour, slabs

KINDS = {"Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4"}
KINDS |= {"Int64": "i8", "UInt64": "u8", "Float32": "f4", "Float64": "f8", "String": "S1"}
_BLOCK = 2**16
"""Rows a block: a megabyte of quaternions, large enough to pack well and small enough to share out."""
_LONGEST_HEAD = 2**24
_APPENDED = b'<AppendedData encoding="raw">\n_'
_COMPRESSOR = ' compressor="vtkZLibDataCompressor"'


@dataclass(frozen=True)
class Array:
    """An array to write: `values(start, stop)` gives these rows, so that no array need exist as a whole."""

    name: str
    kind: str
    components: int
    rows: int
    values: Callable[[int, int], np.ndarray]
    blocks: Callable[[], Iterator[np.ndarray]] | None = None
    """All rows in blocks of some planes, where making them so takes less time or memory."""

    @property
    def dtype(self) -> np.dtype:
        return np.dtype("<" + KINDS[self.kind])

    @property
    def nbytes(self) -> int:
        return self.rows * self.components * self.dtype.itemsize


def voxel_array(name: str, kind: str, values: np.ndarray, *, table: np.ndarray | None = None) -> Array:
    """An array of values [x, y(, z)] of the voxels, or of the rows of a table that these number."""
    dtype = np.dtype("<" + KINDS[kind])
    flat = cache(lambda: values.ravel(order="F"))
    if table is None:
        return Array(name, kind, 1, values.size, lambda a, b: flat()[a:b], lambda: slabs(values, dtype))
    rows = table.astype(dtype)
    blocks = partial(looked_up, values, rows)
    return Array(name, kind, table.shape[1], values.size, lambda a, b: rows[flat()[a:b]], blocks)


def text_array(name: str, text: str) -> Array:
    """A text (ASCII) as the array of bytes VTK wants."""
    data = np.frombuffer(text.encode("ascii") + b"\0", dtype="S1")
    return Array(name, "String", 1, len(data), lambda a, b: data[a:b])


def write_image(path: str | Path, grid: Grid, *, fields: list[Array], cells: list[Array], inline: bool = False) -> None:
    """Write image data with texts in FieldData and arrays per cell, x fastest.

    Packed, but for cells of more than 256 MiB, of which a slab at a time is made and written. `inline` puts each array
    as one line of base64 into the XML, as readers want that know no appended data.
    """
    if not inline and sum(array.nbytes for array in cells) > planes.LARGE:
        _write_plain(path, grid, fields=fields, cells=cells)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        packed = [_packed(array, pool) for array in fields + cells]
    if inline:
        texts = [b64encode(pieces[0]) + b64encode(b"".join(pieces[1:])) for pieces in packed]
        places = [f'format="binary">\n{text.decode("ascii")}\n</' for text in texts]
    else:
        places = _places([sum(map(len, pieces)) for pieces in packed])
    with open(path, "wb") as file:
        file.write(_head(grid, list(zip(fields, places)), list(zip(cells, places[len(fields) :]))).encode())
        if not inline:
            file.write(_APPENDED)
            for pieces in packed:
                file.writelines(pieces)
            file.write(b"\n</AppendedData>\n")
        file.write(b"</VTKFile>\n")


def _places(sizes: list[int]) -> list[str]:
    """Where arrays of so many bytes lie, one after the other."""
    offsets = np.cumsum([0, *sizes]).tolist()
    return [f'format="appended" offset="{at}">\n</' for at in offsets]


def _write_plain(path: str | Path, grid: Grid, *, fields: list[Array], cells: list[Array]) -> None:
    """Arrays as they are, each behind its number of bytes."""
    arrays = fields + cells
    places = _places([8 + array.nbytes for array in arrays])
    head = _head(grid, list(zip(fields, places)), list(zip(cells, places[len(fields) :])), packed=False)
    with open(path, "wb") as file:
        file.write(head.encode() + _APPENDED)
        for array in arrays:
            file.write(np.array(array.nbytes, "<u8").tobytes())
            pour(file, array.blocks() if array.blocks else _rows(array))
        file.write(b"\n</AppendedData>\n</VTKFile>\n")


def _rows(array: Array) -> Iterator[np.ndarray]:
    for start in range(0, array.rows, 16 * _BLOCK):
        values = array.values(start, min(start + 16 * _BLOCK, array.rows))
        yield np.ascontiguousarray(values, dtype=array.dtype)


def _packed(array: Array, pool: ThreadPoolExecutor) -> list[bytes]:
    width = array.components * array.dtype.itemsize

    def pack(start: int) -> bytes:
        values = array.values(start, min(start + _BLOCK, array.rows))
        return zlib.compress(np.ascontiguousarray(values, dtype=array.dtype).data, 1)

    blocks = list(pool.map(pack, range(0, array.rows, _BLOCK)))
    header = [len(blocks), _BLOCK * width, array.rows % _BLOCK * width, *map(len, blocks)]
    return [np.array(header, dtype="<u8").tobytes(), *blocks]


def _head(grid: Grid, fields: list[tuple[Array, str]], cells: list[tuple[Array, str]], *, packed: bool = True) -> str:
    # A plane lies at z = 0 and its cells are flat. A line a tag: readers exist that go by lines.
    extent = " ".join(f"0 {n}" for n in (*grid.shape, 0)[:3])
    origin = " ".join(repr(o) for o in (*grid.origin, 0.0)[:3])
    spacing = " ".join(repr(h) for h in (*grid.spacing, 1.0)[:3])
    field_xml = "".join(
        f'<Array type="String" Name={quoteattr(a.name)} NumberOfTuples="1" {place}Array>\n' for a, place in fields
    )
    cell_xml = "".join(
        f'<DataArray type="{a.kind}" Name={quoteattr(a.name)} NumberOfComponents="{a.components}" {place}DataArray>\n'
        for a, place in cells
    )
    return (
        '<?xml version="1.0"?>\n<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" '
        f'header_type="UInt64"{_COMPRESSOR if packed else ""}>\n'
        f'<ImageData WholeExtent="{extent}" Origin="{origin}" Spacing="{spacing}">\n'
        f'<FieldData>\n{field_xml}</FieldData>\n<Piece Extent="{extent}">\n'
        f'<CellData Scalars="{cells[0][0].name}">\n{cell_xml}</CellData>\n</Piece>\n</ImageData>\n'
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
        place = element.get("format")
        if place not in ("appended", "binary"):
            remedy = "Save it again as appended, not encoded."
            raise UnsupportedFormat(f"{self.path}: expected raw appended or inline binary data, got {place}. {remedy}")
        try:
            if place == "binary":
                data = self._decoded(element.text or "")
                return self._array(io.BytesIO(data), len(data), expected)
            with open(self.path, "rb") as file:
                file.seek(self.start + int(element.get("offset", "0")))
                return self._array(file, self.path.stat().st_size, expected)
        except (ValueError, OSError, OverflowError, MemoryError, zlib.error) as error:
            name = element.get("Name")
            raise UnreadableFile(self.path, f"array {name} is truncated or damaged ({error})") from error

    def _decoded(self, text: str) -> bytes:
        """Inline data as bytes: of packed ones the header is encoded by itself."""
        text, width = text.strip(), np.dtype(self.header).itemsize
        if not self.packed:
            return b64decode(text, validate=True)
        start = b64decode(text[:12], validate=True)[:width]
        count = int(np.frombuffer(start, dtype=self.order + self.header)[0])
        size = (3 + count) * width
        cut = -(-size // 3) * 4
        if cut > len(text):
            raise ValueError("the data end too early")
        return b64decode(text[:cut], validate=True)[:size] + b64decode(text[cut:], validate=True)

    def _array(self, file: BinaryIO, size: int, expected: int | None) -> bytes | bytearray:
        """The unpacked bytes of the array at which `file`, of `size` bytes, stands."""
        take = partial(_exactly, file, size)
        return self._unpack(take, expected) if self.packed else self._plain(take, expected)

    def _numbers(self, take: Callable[[int], bytes], count: int) -> list[int]:
        dtype = np.dtype(self.order + self.header)
        return np.frombuffer(take(count * dtype.itemsize), dtype=dtype).tolist()

    def _plain(self, take: Callable[[int], bytes], expected: int | None) -> bytes:
        (size,) = self._numbers(take, 1)
        if expected is not None and size != expected:
            raise ValueError(f"{size} bytes where {expected} were expected")
        return take(size)

    def _unpack(self, take: Callable[[int], bytes], expected: int | None) -> bytearray:
        count, size, last = self._numbers(take, 3)
        total = count * size if not last else (count - 1) * size + last
        if expected is not None and total != expected:
            raise ValueError(f"{total} bytes where {expected} were expected")
        check_claim(self.path, total)
        out = bytearray()
        for number, packed in enumerate(self._numbers(take, count)):
            wanted = last if last and number == count - 1 else size
            stream = zlib.decompressobj()
            block = stream.decompress(take(packed), wanted + 1)
            if len(block) != wanted or not stream.eof:
                raise ValueError(f"block {number} is not {wanted} bytes")
            out += block
        return out


def _exactly(file: BinaryIO, size: int, count: int) -> bytes:
    # Asked before reading: read() would first make room for whatever a damaged header announces.
    if count > size - file.tell():
        raise ValueError("the file ends too early")
    return file.read(count)


def _parsed_head(file: BinaryIO, path: Path) -> tuple[ElementTree.Element, int]:
    """The XML before the appended data, and where these begin; all of it when the data are inline."""
    head = file.read(_LONGEST_HEAD)
    at = head.find(b"<AppendedData")
    if at < 0:
        root = ElementTree.fromstring(head + file.read())
        if root.tag != "VTKFile":
            raise UnsupportedFormat(f"{path}: expected a file of VTK, got <{root.tag}>.")
        return root, 0
    ends = head.find(b">", at)
    if b'encoding="raw"' not in head[at:ends]:
        raise UnsupportedFormat(f"{path}: expected raw appended data, got encoded. Save it again as raw.")
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
