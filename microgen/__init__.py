"""microgen: scans in, statistically equal 3-D microstructures out.

Names load on first use, so that `import microgen` is quick.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; a test keeps it equal to the table below
    from microgen.atlas import Atlas as Atlas
    from microgen.descriptors.describe import describe as describe
    from microgen.descriptors.grain_cloud import grain_distance as grain_distance
    from microgen.descriptors.grains import interior_grains as interior_grains
    from microgen.errors import MicrogenError as MicrogenError
    from microgen.fitting.compare import compare as compare
    from microgen.fitting.fit import fit as fit
    from microgen.fitting.interpolation import interpolate as interpolate
    from microgen.fitting.reconstruction import reconstruct as reconstruct
    from microgen.fitting.survey import survey as survey
    from microgen.fitting.target import Target as Target
    from microgen.generators.box import resolve_box as resolve_box
    from microgen.generators.curvatubes import Curvatubes as Curvatubes
    from microgen.generators.curvature_prior import CurvaturePrior as CurvaturePrior
    from microgen.generators.laws import (
        AspectRatioLaw as AspectRatioLaw,
        Fabric as Fabric,
        PhaseLaw as PhaseLaw,
        SizeLaw as SizeLaw,
        Texture as Texture,
    )
    from microgen.generators.polycrystal import Polycrystal as Polycrystal
    from microgen.generators.rebuild import rebuild as rebuild
    from microgen.grid import Grid as Grid, HexGrid as HexGrid
    from microgen.io import read as read, write as write
    from microgen.io.atlas_table import read_atlas as read_atlas
    from microgen.io.sidecar import read_provenance as read_provenance
    from microgen.microstructure import (
        Microstructure as Microstructure,
        Phase as Phase,
        TiledMicrostructure as TiledMicrostructure,
    )
    from microgen.provenance import Provenance as Provenance
    from microgen.report import render_report as render_report
    from microgen.segmentation import segment_grains as segment_grains, threshold as threshold

# OpenMP reads this once, when numba or torch loads it. Its own default lets a thread that waits for the others spin for
# milliseconds: where other work shares the cores, steps of small boxes take three times as long, for want of the core
# that is spun on. Nobody spins long here. (tests/benchmarks/threads.py)
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

# The command reads this line to tell this package from another one of the same import name.
_DISTRIBUTION = "microgen-gpu"

_HOME = {
    "AspectRatioLaw": "microgen.generators.laws",
    "Atlas": "microgen.atlas",
    "CurvaturePrior": "microgen.generators.curvature_prior",
    "Curvatubes": "microgen.generators.curvatubes",
    "Fabric": "microgen.generators.laws",
    "Grid": "microgen.grid",
    "HexGrid": "microgen.grid",
    "MicrogenError": "microgen.errors",
    "Microstructure": "microgen.microstructure",
    "Phase": "microgen.microstructure",
    "PhaseLaw": "microgen.generators.laws",
    "Polycrystal": "microgen.generators.polycrystal",
    "Provenance": "microgen.provenance",
    "SizeLaw": "microgen.generators.laws",
    "Target": "microgen.fitting.target",
    "Texture": "microgen.generators.laws",
    "TiledMicrostructure": "microgen.microstructure",
    "compare": "microgen.fitting.compare",
    "describe": "microgen.descriptors.describe",
    "fit": "microgen.fitting.fit",
    "grain_distance": "microgen.descriptors.grain_cloud",
    "interior_grains": "microgen.descriptors.grains",
    "interpolate": "microgen.fitting.interpolation",
    "read": "microgen.io",
    "read_atlas": "microgen.io.atlas_table",
    "read_provenance": "microgen.io.sidecar",
    "rebuild": "microgen.generators.rebuild",
    "reconstruct": "microgen.fitting.reconstruction",
    "render_report": "microgen.report",
    "resolve_box": "microgen.generators.box",
    "segment_grains": "microgen.segmentation",
    "survey": "microgen.fitting.survey",
    "threshold": "microgen.segmentation",
    "write": "microgen.io",
}
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'microgen' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
