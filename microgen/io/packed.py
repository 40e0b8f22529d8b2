"""Streams of unknown origin, read no further than their file is known to go."""

from __future__ import annotations

from typing import BinaryIO, Protocol

PIECE = 2**24
"""Bytes asked for at a time: `read(n)` makes room for n before it looks."""


class Stream(Protocol):
    """What open files and the unpackers of gzip and bzip2 have in common."""

    def read(self, size: int, /) -> bytes: ...


def exactly(stream: Stream | BinaryIO, count: int) -> bytearray:
    """The next `count` bytes; ValueError when there are fewer."""
    data = bytearray()
    while len(data) < count:
        got = stream.read(min(PIECE, count - len(data)))
        if not got:
            raise ValueError(f"ends after {len(data)} of {count} bytes")
        data += got
    return data
