"""One closed binary STL a grain in a folder, coordinates in mm. (Touching grains in one STL are not manifold.)

Every surface is checked as written, in float32, and a volume with one that is not closed is refused; never repaired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter
from microgen.io.atomic import atomic_folder, check_writable
from microgen.io.sidecar import sidecar_path, write_sidecar
from microgen.meshing import TriangleMesh, grain_surfaces, parts
from microgen.microstructure import Microstructure

PATTERN = "grain_*.stl"
"""The files of a folder of grains: what `overwrite` may replace."""

_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


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
    facets["normal"] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return title.encode("ascii")[:80].ljust(80) + np.uint32(len(facets)).astype("<u4").tobytes() + facets.tobytes()
