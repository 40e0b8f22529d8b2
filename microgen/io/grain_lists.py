"""Lists of grains of any kind that is read: our own tables, DREAM.3D's feature lists and feature data, ellipses."""

from __future__ import annotations

from pathlib import Path

from microgen.errors import UnreadableFile
from microgen.io import dream3d_csv, dream3d_grains, ellipse_list, grain_table
from microgen.io.grain_table import GrainTable

SUFFIXES = (".csv", ".txt")


def read_table(path: str | Path) -> GrainTable:
    """Read a list of grains; files of DREAM.3D begin with the number of their grains. Raises UnreadableFile."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            first = file.readline(100).replace(b",", b" ")
        counted = first.strip().isdigit()
        if ellipse_list.is_ellipse_list(first.decode("latin-1")):
            return ellipse_list.read_table(path)
        if path.suffix.lower() == ".txt":
            return dream3d_grains.read_table(path)
        return dream3d_csv.read_table(path) if counted else grain_table.read_table(path)
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror or error})", remedy="Check the path.") from error
