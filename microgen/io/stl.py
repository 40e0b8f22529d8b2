"""Binary STL in mm: the solid of a level set in one file, or one file a grain (touching ones in one are not manifold).

Every surface is checked as written, in float32, and a volume with one that is not closed is refused; never repaired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io.atomic import atomic_folder, check_writable
from microgen.io.sidecar import sidecar_path, write_sidecar
from microgen.meshing import TriangleMesh, grain_surfaces, parts, printable_solid, welded
from microgen.microstructure import Microstructure

NAME = "stl"
SUFFIXES = (".stl",)
NEEDS = ("volume", "one body")

PATTERN = "grain_*.stl"
"""The files of a folder of grains: what `overwrite` may replace."""

_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: surfaces, of which no voxels come back."""
    return frozenset()


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the solid u > 0 of a level set (without one: all that is not void). See `microgen.meshing.printable_solid`.

    Raises InvalidParameter for planes and for grains, NotPrintable when nothing is solid or the surface is not closed.
    """
    if ms.grain_id is not None:
        touch = "Grains that touch make no closed surface together"
        remedy = f"{touch}: use .3mf, or one STL a grain (microgen mesh FILE --each-grain --out FOLDER)."
        raise InvalidParameter("sample", expected="a level set or phases for one STL", got="grains", remedy=remedy)
    write_mesh(printable_solid(ms).mesh, path)


def write_mesh(mesh: TriangleMesh, path: str | Path) -> None:
    """Write a surface whose points are in mm."""
    Path(path).write_bytes(stl_bytes(mesh, "microgen, mm"))


def read_mesh(path: str | Path) -> TriangleMesh:
    """The triangles of a binary or ASCII STL, corners with equal coordinates made one. Raises UnreadableFile."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be opened", remedy="Check the path.") from error
    count = int.from_bytes(data[80:84], "little")
    if len(data) >= 84 and len(data) == 84 + count * _FACET.itemsize:
        corners = np.frombuffer(data[84:], _FACET)["corners"].reshape(-1, 3)
    elif data.lstrip().startswith(b"solid"):
        corners = _ascii_corners(data, path)
    else:
        raise UnreadableFile(path, "is no whole STL", remedy="Export it again, as binary STL.")
    if not len(corners) or not np.isfinite(corners).all():
        raise UnreadableFile(path, "holds no triangles with finite corners", remedy="Export it again.")
    return welded(corners, np.arange(len(corners)).reshape(-1, 3))


def _ascii_corners(data: bytes, path: Path) -> np.ndarray:
    words = data.split()
    try:
        rows = [words[k + 1 : k + 4] for k, word in enumerate(words) if word == b"vertex"]
        corners = np.array(rows, dtype=np.float32)
    except ValueError as error:
        raise UnreadableFile(path, f"has corners that are no numbers ({error})") from error
    if corners.ndim != 2 or corners.shape[1] != 3 or len(corners) % 3:
        raise UnreadableFile(path, "is no whole STL", remedy="Export it again, as binary STL.")
    return corners


@dataclass(frozen=True, eq=False)
class GrainFiles:
    """What was written for each grain, in order of grain_id."""

    folder: Path
    files: tuple[Path, ...]
    parts: tuple[int, ...]
    """Connected pieces: more than one where a periodic grain is cut at the box, or encloses another."""
    triangles: int
    """In all files together."""


def write_grains(
    ms: Microstructure,
    folder: str | Path,
    *,
    overwrite: bool = False,
    progress: Callable[[float, str], None] | None = None,
) -> GrainFiles:
    """Write `grain_0001.stl`, ... into `folder` and the provenance beside it as `FOLDER.json`; all of it or nothing.

    Raises NotPrintable when a surface is not closed, InvalidParameter when there is no volume of grains,
    OutputNotWritable as in `atomic_folder`: a folder that holds other files is never replaced.
    """
    folder = Path(folder)
    last = 0 if ms.grain_id is None else int(ms.grain_id.max(initial=0))
    if last == 0:
        raise InvalidParameter("grain_id", expected="a volume with grains", got=None if ms.grain_id is None else 0)
    names, pieces, triangles = [], [], 0
    check_writable([sidecar_path(folder)], overwrite=overwrite, folders=[folder], ours=PATTERN)
    with atomic_folder(folder, overwrite, ours=PATTERN) as part:
        for grain, mesh in grain_surfaces(ms):
            names.append(f"grain_{grain:0{max(4, len(str(last)))}d}.stl")
            (part / names[-1]).write_bytes(stl_bytes(mesh, f"microgen grain {grain}, mm"))
            pieces.append(parts(mesh))
            triangles += len(mesh.triangles)
            if progress is not None:
                progress(grain / last, f"surface of grain {grain}")
        write_sidecar(ms, folder, overwrite=overwrite)
    return GrainFiles(folder, tuple(folder / name for name in names), tuple(pieces), triangles)


def stl_bytes(mesh: TriangleMesh, title: str) -> bytes:
    """Binary STL: 80 bytes of title, the number of facets, then 50 bytes a facet."""
    corners = mesh.points[mesh.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facets = np.zeros(len(corners), _FACET)
    facets["corners"] = corners
    # Simplified surfaces have a few triangles whose corners lie in a line: their normal is zero, as the format allows.
    facets["normal"] = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    return title.encode("ascii")[:80].ljust(80) + np.uint32(len(facets)).astype("<u4").tobytes() + facets.tobytes()
