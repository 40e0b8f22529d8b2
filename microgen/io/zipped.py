"""A zipped TIFF of grey values, as volumes are often shared: one picture, and nothing else that counts."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io import grey_tiff
from microgen.microstructure import Microstructure

NAME = "zip"
SUFFIXES = (".zip",)
DENSEST = 1100  # of DEFLATE: bytes that one byte can stand for


def read(path: str | Path) -> Microstructure:
    """Read the only TIFF of an archive. Raises UnreadableFile for damaged ones, UnsupportedFormat for several."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            member = _picture(archive, path)
            # Under a name of our own: names in archives can point anywhere.
            picture = Path(folder) / "volume.tif"
            with archive.open(member) as packed, picture.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            try:
                return grey_tiff.read(picture)
            except UnreadableFile as error:
                raise UnreadableFile(path, f"{member.filename} {error.problem}", remedy=error.remedy) from error
            except UnsupportedFormat as error:
                raise UnsupportedFormat(str(error).replace(str(picture), f"{path}: {member.filename}")) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UnreadableFile(path, f"is no whole zip archive ({error})", remedy="Copy it again.") from error


def _picture(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
    pictures = [m for m in members if m.filename.lower().endswith((".tif", ".tiff"))]
    if len(pictures) != 1:
        raise UnsupportedFormat(f"{path}: expected one TIFF in the archive, found {len(pictures)}. Unpack it first.")
    member = pictures[0]
    if member.file_size > DENSEST * max(member.compress_size, 1):
        raise UnreadableFile(
            path, f"claims {member.file_size} bytes in {member.compress_size}", remedy="Copy it again."
        )
    return member
