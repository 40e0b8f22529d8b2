"""How chunks of Zarr are packed. Each codec unpacks to exactly the bytes of a chunk, or raises ValueError before."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgen.errors import UnsupportedFormat

Codec = Callable[[bytes, int], bytes]
"""Packed bytes and the number of bytes they stand for -> these."""

_ZSTD_MAGIC = 0xFD2FB528


def codec_v3(codecs: list[dict[str, Any]], folder: Path) -> tuple[bool, Codec]:
    """Whether numbers are big endian, and how their bytes are unpacked. Raises UnsupportedFormat."""
    names = [str(codec["name"]) for codec in codecs]
    if not names or names[0] != "bytes" or any(name not in (*_CODECS, "crc32c") for name in names[1:]):
        raise UnsupportedFormat(f"{folder}: packed by {', '.join(names)}; read are bytes with {', '.join(_CODECS)}.")
    big = codecs[0].get("configuration", {}).get("endian", "little") == "big"
    packings = [name for name in names[1:] if name != "crc32c"]
    if len(packings) > 1 or "crc32c" in names[:-1]:
        raise UnsupportedFormat(f"{folder}: packed by {' and '.join(names)}, one after the other.")
    unpack = _CODECS[packings[0]] if packings else _plain
    if names[-1] != "crc32c":
        return big, unpack
    return big, lambda data, size: unpack(data[:-4], size)


def codec_v2(compressor: dict[str, Any] | None, folder: Path) -> Codec:
    """How chunks of version 2 are unpacked. Raises UnsupportedFormat."""
    if compressor is None:
        return _plain
    if compressor.get("id") not in _CODECS:
        raise UnsupportedFormat(f"{folder}: packed by {compressor.get('id')}; read are {', '.join(_CODECS)}.")
    return _CODECS[compressor["id"]]


def _plain(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError(f"a chunk of {len(data)} bytes, {size} were expected")
    return data


def _deflate(data: bytes, size: int) -> bytes:
    stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as its head says
    return _plain(stream.decompress(data, size + 1), size)


def _zstd(data: bytes, size: int) -> bytes:
    from numcodecs.zstd import Zstd

    if _zstd_size(data) != size:
        raise ValueError(f"a chunk of zstd that is not {size} bytes")
    return _plain(bytes(Zstd().decode(data, bytearray(size))), size)


def _zstd_size(data: bytes) -> int:
    """Bytes a frame announces (RFC 8878, 3.1.1.1)."""
    magic, kind = struct.unpack_from("<IB", data)
    flag, single, dictionary = kind >> 6, bool(kind & 32), (0, 1, 2, 4)[kind & 3]
    if magic != _ZSTD_MAGIC or (flag == 0 and not single):
        raise ValueError("a chunk of zstd that does not tell its size")
    at = 5 + (0 if single else 1) + dictionary
    form, more = (("<B", 0), ("<H", 256), ("<I", 0), ("<Q", 0))[flag]
    return struct.unpack_from(form, data, at)[0] + more


def _blosc(data: bytes, size: int) -> bytes:
    from numcodecs.blosc import Blosc

    if struct.unpack_from("<I", data, 4)[0] != size or struct.unpack_from("<I", data, 12)[0] != len(data):
        raise ValueError(f"a chunk of blosc that is not {size} bytes")
    return _plain(bytes(Blosc().decode(data, bytearray(size))), size)


def _lz4(data: bytes, size: int) -> bytes:
    from numcodecs.lz4 import LZ4

    if struct.unpack_from("<I", data)[0] != size:
        raise ValueError(f"a chunk of lz4 that is not {size} bytes")
    return _plain(bytes(LZ4().decode(data, bytearray(size))), size)


_CODECS: dict[str, Codec] = {"gzip": _deflate, "zlib": _deflate, "zstd": _zstd, "blosc": _blosc, "lz4": _lz4}


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = _table()


def checksum(data: bytes) -> int:
    """CRC-32C (RFC 3720, appendix B.4), for the kilobyte that is the index of a shard."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC32C[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF
