"""A zipped TIFF of grey values, as volumes are often shared: one picture, unpacked in memory and never to disk."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
from pathlib import Path

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io import grey_tiff
from microgen.io.grey import DAMAGE
from microgen.io.ome_tiff import MAGIC, opened
from microgen.io.packed import exactly
from microgen.microstructure import Microstructure

NAME = "zip"
SUFFIXES = (".zip",)
DENSEST = 1100  # bytes that one byte of DEFLATE can stand for
LARGEST = 2**32  # where offsets in a classic TIFF end

_DAMAGE = (*DAMAGE, zipfile.BadZipFile, lzma.LZMAError, struct.error, RuntimeError)


def read(path: str | Path) -> Microstructure:
    """Read the only TIFF of an archive. Raises UnreadableFile for damaged ones, UnsupportedFormat for several."""
    path = Path(path)
    name, data = _unpacked(path)
    try:
        with opened(path, io.BytesIO(data)) as tif:
            return grey_tiff.volume(tif, path)
    except UnreadableFile as error:
        raise UnreadableFile(path, f"{name} in it {error.problem}", remedy=error.remedy) from error


def _unpacked(path: Path) -> tuple[str, bytes]:
    """Name and bytes of the picture. What an archive says of itself may be false: its start is looked at first."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = _picture(archive, path)
            with archive.open(member) as packed:
                head = packed.read(4)
                if head not in MAGIC:
                    raise UnsupportedFormat(f"{path}: {member.filename} in it is no TIFF.")
                return member.filename, head + exactly(packed, member.file_size - len(head))
    except _DAMAGE as error:
        raise UnreadableFile(path, f"is no whole zip archive ({error})", remedy="Copy it again.") from error


def _picture(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
    pictures = [m for m in members if m.filename.lower().endswith((".tif", ".tiff"))]
    if len(pictures) != 1:
        what = "Unpack it and give the folder of slices." if pictures else "Unpack it and give the file in it."
        raise UnsupportedFormat(f"{path}: expected one TIFF in the archive, found {len(pictures)}. {what}")
    member = pictures[0]
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Of LZMA and bzip2 a byte can stand for millions, and zipfile unpacks all that it has read.
        raise UnsupportedFormat(f"{path}: is packed in an uncommon way. Unpack it and give the file in it.")
    claim = f"claims {member.file_size} bytes in {member.compress_size}"
    if member.file_size > DENSEST * max(member.compress_size, 1):
        raise UnreadableFile(path, claim, remedy="Copy it again.")
    if member.file_size > LARGEST:
        raise UnreadableFile(path, claim, remedy="Unpack it first: more than 4 GiB are not unpacked in memory.")
    return member
