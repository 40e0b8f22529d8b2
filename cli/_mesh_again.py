"""The surfaces of `microgen mesh` made again from the volume they were made of, and compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microgen import Provenance
from microgen.errors import TargetNotMet, UnreadableFile
from microgen.io import volume_mesh
from microgen.io.printing import Print
from microgen.io.surfaces import read_surfaces

from . import mesh
from ._flags import Talk
from ._mesh_flags import MeshFlags
from ._progress import Reporter
from ._volume import VolumeFlags


def rerun(made: Provenance, source: Path, original: Path, out: tuple[Path, ...], talk: Talk) -> int:
    """Mesh `source` as `made` says. Raises TargetNotMet where the surfaces differ from those in `original`."""
    told = made.configuration
    try:
        flags = MeshFlags(**{**told["mesh"], "tile": tuple(told["mesh"]["tile"])})
        volume = VolumeFlags(**{**told["volume"], "raw_shape": tuple(told["volume"]["raw_shape"])})
        printed = Print(**told["print"])
    except (KeyError, TypeError) as error:
        raise UnreadableFile(original, f"its provenance holds no surface ({error})") from None
    code = mesh.make(source, out, flags, volume, printed, talk)
    if not original.is_file():
        return code
    for path in out:
        if path.is_file() and not _same(original, path):
            raise TargetNotMet(f"the surfaces in {path} differ from those in {original}: other version or input?")
    Reporter(quiet=talk.quiet).say(f"the surfaces are those of {original}")
    return code


def _same(one: Path, two: Path) -> bool:
    if one.suffix.lower() in volume_mesh.ALL:
        return volume_mesh.same(one, two)
    first, second = read_surfaces(one).bodies, read_surfaces(two).bodies
    return len(first) == len(second) and all(
        np.array_equal(a.mesh.points, b.mesh.points) and np.array_equal(a.mesh.triangles, b.mesh.triangles)
        for a, b in zip(first, second)
    )
