"""Arrays of Zarr: version 3 written in shards, versions 2 and 3 read, on a local disk.

Written here, after the Zarr core specification 3.0 and its codecs (zarr-specs.readthedocs.io), because that is a page,
chunks are packed on all cores, and it must read folders of unknown origin: only files in the folder are opened, no link
is followed, and nothing is unpacked that announces other than a chunk's size. The package zarr reads it in the tests.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io.embedded import check_memory
from microgen.io.zarr_codecs import Codec, checksum, codec_v2, codec_v3

CHUNK, SHARD = 64, 4
"""Voxels of a chunk along an axis, and chunks of a shard."""
EMPTY = 2**64 - 1
LARGEST_CHUNK = 2**30
LARGEST_JSON = 2**26

Attributes = Mapping[str, Any]


def write_group(folder: Path, attributes: Attributes) -> None:
    """Make a group that says `attributes` of itself."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}, indent=1)
    (folder / "zarr.json").write_text(text, encoding="ascii")


def write_array(folder: Path, values: np.ndarray, names: tuple[str, ...] = ()) -> None:
    """Write values as they lie in memory (any order) as an array of their shape, with the names of its axes."""
    shards = Shards.begun(folder, values.shape, values.dtype, names)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for where in product(*(range(-(-n // s)) for n, s in zip(values.shape, shards.shard))):
            shards.write(where, values[shards.part(where)], pool)


@dataclass(frozen=True)
class Shards:
    """An array that is written shard by shard, in any order."""

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    chunk: tuple[int, ...]
    shard: tuple[int, ...]

    @classmethod
    def begun(cls, folder: Path, shape: tuple[int, ...], dtype: np.dtype, names: tuple[str, ...] = ()) -> Shards:
        """Make the folder, with what tells of the array."""
        little = dtype.newbyteorder("<") if dtype.itemsize > 1 else dtype
        chunk = tuple(max(1, min(CHUNK, n)) for n in shape)
        shard = tuple(c * max(1, min(SHARD, -(-n // c))) for n, c in zip(shape, chunk))
        folder.mkdir(parents=True)
        (folder / "zarr.json").write_text(_metadata(shape, dtype, chunk, shard, names=names), encoding="ascii")
        return cls(folder, shape, little, chunk, shard)

    def part(self, where: tuple[int, ...]) -> tuple[slice, ...]:
        """The values of shard number `where` along each axis."""
        return tuple(slice(w * s, min((w + 1) * s, n)) for w, s, n in zip(where, self.shard, self.shape))

    def write(self, where: tuple[int, ...], values: np.ndarray, pool: ThreadPoolExecutor) -> None:
        """Write the values of one shard, packed by the pool; one of nothing but zeros takes no file."""
        from numcodecs.zstd import Zstd

        pack, chunk = Zstd(level=1).encode, self.chunk

        def packed(corner: tuple[int, ...]) -> bytes:
            block = values[tuple(slice(a, a + c) for a, c in zip(corner, chunk))]
            if not block.size or not block.any():
                return b""
            whole = np.zeros(chunk, self.dtype)  # chunks at the far edges have their full size too
            whole[tuple(slice(n) for n in block.shape)] = block
            return bytes(pack(whole))

        pieces = list(pool.map(packed, product(*(range(0, s, c) for s, c in zip(self.shard, chunk)))))
        if any(pieces):
            _write_shard(self.folder.joinpath("c", *map(str, where)), pieces)


def _write_shard(path: Path, pieces: list[bytes]) -> None:
    """The chunks of a shard one after the other, then where each lies: offset and length, and a checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    index, at = [], 0
    with open(path, "wb") as file:
        for piece in pieces:
            index += [at, len(piece)] if piece else [EMPTY, EMPTY]
            at += file.write(piece)
        table = struct.pack(f"<{len(index)}Q", *index)
        file.write(table + struct.pack("<I", checksum(table)))


def _metadata(
    shape: tuple[int, ...], dtype: np.dtype, chunk: tuple[int, ...], shard: tuple[int, ...], *, names: tuple[str, ...]
) -> str:
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    inner = [
        little if dtype.itemsize > 1 else {"name": "bytes"},
        {"name": "zstd", "configuration": {"level": 1, "checksum": False}},
    ]
    sharding = {
        "chunk_shape": chunk,
        "codecs": inner,
        "index_codecs": [little, {"name": "crc32c"}],
        "index_location": "end",
    }
    data: dict[str, Any] = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": False if dtype.kind == "b" else 0.0 if dtype.kind == "f" else 0,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": {},
    }
    return json.dumps(data | ({"dimension_names": names} if names else {}), indent=1)


@dataclass(frozen=True)
class _Layout:
    """How the values of an array lie in its files."""

    shape: tuple[int, ...]
    dtype: np.dtype
    chunk: tuple[int, ...]
    """Of a file."""
    fill: Any
    codec: Codec
    inner: tuple[int, ...]
    """Of a chunk: smaller where files are shards."""
    sharded: bool
    order: tuple[int, ...]
    """Axes of the array in the order in which a chunk has them, slowest first."""
    key: Callable[[tuple[str, ...]], tuple[int, ...] | None]
    """Place of a chunk by the parts of its file's name."""


def attributes(root: Path, path: str = "") -> tuple[int, dict[str, Any]]:
    """Version of Zarr and attributes of the group at `path` below `root`. Raises UnreadableFile."""
    folder = inside(root, path)
    if (folder / "zarr.json").is_file():
        return 3, _object(_json(folder / "zarr.json").get("attributes", {}), folder)
    if (folder / ".zgroup").is_file() or (folder / ".zarray").is_file():
        return 2, _json(folder / ".zattrs") if (folder / ".zattrs").is_file() else {}
    raise UnreadableFile(folder, "is no Zarr group: it has neither zarr.json nor .zgroup", remedy="Copy it again.")


def has(root: Path, path: str) -> bool:
    """Is there an array of that name?"""
    return any((root / path / name).is_file() for name in ("zarr.json", ".zarray"))


def read_array(root: Path, path: str) -> np.ndarray:
    """The array at `path` below `root`, in C order. Chunks that are missing hold the fill value.

    Raises UnreadableFile for damaged ones, UnsupportedFormat for other layouts and codecs than are common.
    """
    folder = inside(root, path)
    try:
        layout = _layout(folder)
        _check_size(folder, layout)
        values = np.zeros(layout.shape, layout.dtype)
        if layout.fill:
            values.fill(layout.fill)
        files = [(place, file) for parts, file in _files(folder) if (place := layout.key(parts)) is not None]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda item: _fill(values, layout, *item), files))
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error, zlib.error) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UnreadableFile(folder, f"is no whole Zarr array ({reason})", remedy="Write or copy it again.") from error
    except (OSError, RuntimeError, MemoryError, RecursionError) as error:
        raise UnreadableFile(folder, f"is no whole Zarr array ({error})", remedy="Write or copy it again.") from error
    return values.astype(layout.dtype.newbyteorder("="), copy=False)


def inside(root: Path, path: str) -> Path:
    """A folder below `root`; names that lead out of it are refused, and links too."""
    parts = [part for part in path.split("/") if part]
    folder = root.joinpath(*parts)
    if any(part in (".", "..") or "\\" in part or "\0" in part for part in parts):
        raise UnreadableFile(root, f"names an array outside of it ({path!r})", remedy="Write it again.")
    if folder.exists() and folder.resolve() != root.resolve().joinpath(*parts):
        raise UnreadableFile(root, f"{path!r} in it is a link", remedy="Copy it with its files.")
    return folder


def _files(folder: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    """All files of an array: as many as there are, whatever its metadata say there should be."""
    for place, folders, names in os.walk(folder):
        for name in folders + names:
            if os.path.islink(os.path.join(place, name)):
                raise UnreadableFile(folder, f"{name} in it is a link", remedy="Copy it with its files.")
        parts = Path(place).relative_to(folder).parts
        yield from (((*parts, name), Path(place) / name) for name in names if not name.startswith((".z", "zarr.json")))


def _fill(values: np.ndarray, layout: _Layout, place: tuple[int, ...], file: Path) -> None:
    """Put the chunks of one file where they belong."""
    corner = [p * c for p, c in zip(place, layout.chunk)]
    if any(a >= n for a, n in zip(corner, layout.shape)):
        return
    if not layout.sharded:
        _put(values, layout, corner, file.read_bytes())
        return
    with open(file, "rb") as shard:
        grid = tuple(c // i for c, i in zip(layout.chunk, layout.inner))
        size = os.fstat(shard.fileno()).st_size
        for number, (offset, length) in enumerate(_index(shard, size, math.prod(grid))):
            if offset == length == EMPTY:
                continue
            if offset + length > size:
                raise ValueError(f"{file.name} ends before a chunk")
            shard.seek(offset)
            inner = np.unravel_index(number, grid)
            start = [a + int(k) * i for a, k, i in zip(corner, inner, layout.inner)]
            _put(values, layout, start, shard.read(length))


def _index(shard: Any, size: int, count: int) -> list[tuple[int, int]]:
    length = 16 * count + 4
    if length > size:
        raise ValueError("a shard ends before its index")
    shard.seek(size - length)
    table = shard.read(length)
    if struct.unpack("<I", table[-4:])[0] != checksum(table[:-4]):
        raise ValueError("the index of a shard is damaged")
    numbers = struct.unpack(f"<{2 * count}Q", table[:-4])
    return list(zip(numbers[::2], numbers[1::2]))


def _put(values: np.ndarray, layout: _Layout, corner: list[int], packed: bytes) -> None:
    shape = tuple(layout.inner[axis] for axis in layout.order)
    data = layout.codec(packed, math.prod(shape) * layout.dtype.itemsize)
    chunk = np.frombuffer(data, layout.dtype).reshape(shape).transpose(np.argsort(layout.order))
    room = [max(0, min(i, n - a)) for i, n, a in zip(layout.inner, layout.shape, corner)]
    values[tuple(slice(a, a + r) for a, r in zip(corner, room))] = chunk[tuple(slice(r) for r in room)]


def _check_size(folder: Path, layout: _Layout) -> None:
    d = len(layout.shape)
    if min((*layout.shape, *layout.inner, *layout.chunk), default=1) < 1 or d > 16:
        raise ValueError(f"shape {layout.shape} in chunks of {layout.inner}")
    if len(layout.chunk) != d or len(layout.inner) != d or any(c % i for c, i in zip(layout.chunk, layout.inner)):
        raise ValueError(f"chunks of {layout.inner} in files of {layout.chunk} for shape {layout.shape}")
    check_memory(folder, math.prod(layout.shape) * layout.dtype.itemsize)
    if math.prod(layout.inner) * layout.dtype.itemsize > LARGEST_CHUNK:
        raise UnsupportedFormat(f"{folder}: has chunks of more than {LARGEST_CHUNK} bytes. Store it in smaller ones.")


def _layout(folder: Path) -> _Layout:
    if (folder / "zarr.json").is_file():
        return _layout_v3(_json(folder / "zarr.json"), folder)
    if (folder / ".zarray").is_file():
        return _layout_v2(_json(folder / ".zarray"), folder)
    raise UnreadableFile(folder, "is no Zarr array", remedy="Write or copy it again.")


def _layout_v3(data: dict[str, Any], folder: Path) -> _Layout:
    if data.get("node_type") != "array" or data["chunk_grid"]["name"] != "regular":
        raise UnsupportedFormat(f"{folder}: expected a Zarr array in regular chunks.")
    chunk, encoding = _sizes(data["chunk_grid"]["configuration"]["chunk_shape"]), data["chunk_key_encoding"]
    mark = encoding.get("configuration", {}).get("separator", "/" if encoding["name"] == "default" else ".")
    plain = encoding["name"] == "v2"
    codecs, inner = data["codecs"], chunk
    sharded = codecs[0]["name"] == "sharding_indexed"
    if sharded:
        sharding = codecs[0]["configuration"]
        names = [codec["name"] for codec in sharding.get("index_codecs", [])]
        if len(codecs) > 1 or names != ["bytes", "crc32c"] or sharding.get("index_location", "end") != "end":
            raise UnsupportedFormat(f"{folder}: has shards laid out in an uncommon way.")
        codecs, inner = sharding["codecs"], _sizes(sharding["chunk_shape"])
    order = tuple(range(len(inner)))
    if codecs[0]["name"] == "transpose":
        order, codecs = tuple(int(k) for k in codecs[0]["configuration"]["order"]), codecs[1:]
    big, codec = codec_v3(codecs, folder)
    dtype = _number(str(data["data_type"]), folder).newbyteorder(">" if big else "<")
    fill = _fill_value(data.get("fill_value"), dtype)
    key = _key(len(inner), mark, first="" if plain else "c")
    return _Layout(_sizes(data["shape"]), dtype, chunk, fill, codec, inner, sharded, _axes(order, inner), key)


def _layout_v2(data: dict[str, Any], folder: Path) -> _Layout:
    if data.get("filters") or data.get("order", "C") not in ("C", "F"):
        raise UnsupportedFormat(f"{folder}: has filters {data.get('filters')}, which are not read.")
    dtype, chunk = _number(str(data["dtype"]), folder), _sizes(data["chunks"])
    order = tuple(range(len(chunk)))[:: 1 if data.get("order", "C") == "C" else -1]
    codec, fill = codec_v2(data.get("compressor"), folder), _fill_value(data.get("fill_value"), dtype)
    key = _key(len(chunk), data.get("dimension_separator", "."), first="")
    return _Layout(_sizes(data["shape"]), dtype, chunk, fill, codec, chunk, False, order, key)


def _key(ndim: int, mark: str, *, first: str) -> Callable[[tuple[str, ...]], tuple[int, ...] | None]:
    def place(parts: tuple[str, ...]) -> tuple[int, ...] | None:
        words = parts if mark == "/" else tuple("/".join(parts).split(mark))
        if first:
            if not words or words[0] != first:
                return None
            words = words[1:]
        fine = len(words) == ndim and all(w.isascii() and w.isdigit() and len(w) < 12 for w in words)
        return tuple(int(w) for w in words) if fine else None

    return place


def _sizes(values: Any) -> tuple[int, ...]:
    sizes = tuple(int(n) for n in values)
    if any(not 0 < n < 2**40 for n in sizes):
        raise ValueError(f"sizes {sizes}")
    return sizes


def _axes(order: tuple[int, ...], inner: tuple[int, ...]) -> tuple[int, ...]:
    if sorted(order) != list(range(len(inner))):
        raise ValueError(f"axes in the order {order}")
    return order


def _number(name: str, folder: Path) -> np.dtype:
    dtype = np.dtype(name)
    if dtype.kind not in "iufb":
        raise UnsupportedFormat(f"{folder}: expected numbers, got {name}.")
    return dtype


def _fill_value(value: Any, dtype: np.dtype) -> Any:
    if value is None:
        return 0
    return np.asarray(value, dtype.newbyteorder("=")).item()


def _json(path: Path) -> dict[str, Any]:
    if path.is_symlink() or path.stat().st_size > LARGEST_JSON:
        raise UnreadableFile(path, "is a link, or too large", remedy="Write or copy it again.")
    try:
        return _object(json.loads(path.read_bytes()), path)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(path, f"is no JSON ({error})", remedy="Write or copy it again.") from error


def _object(data: Any, path: Path) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise UnreadableFile(path, "is no JSON object", remedy="Write or copy it again.")
    return data
