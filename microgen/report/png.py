"""Pixels as PNG, ready to stand inside a page."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np


def encode_png(pixels: np.ndarray) -> bytes:
    """PNG file of uint8 [height, width, 3 or 4].

    Every row is stored as its difference to the row above (PNG specification, filter type 2), which turns the
    flat grains of a map into zeros. Written here because it is ten lines and needs no drawing library.
    """
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.empty((height, 1 + width * channels), np.uint8)
    filtered[:, 0] = 2
    filtered[:, 1:] = rows - above
    colour_type = {3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    data = zlib.compress(filtered.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def data_uri(pixels: np.ndarray) -> str:
    """The same picture as a `data:` address, so that a page needs no second file."""
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode("ascii")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
