"""microgen: scans in, statistically equal 3-D microstructures out.

Names load on first use, so that `import microgen` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# The command reads this line to tell this package from another one of the same import name.
_DISTRIBUTION = "microgen-gpu"

_HOME = {
    "AspectRatioLaw": "microgen.generators.laws",
    "Fabric": "microgen.generators.laws",
    "Grid": "microgen.grid",
    "HexGrid": "microgen.grid",
    "Microstructure": "microgen.microstructure",
    "Phase": "microgen.microstructure",
    "PhaseLaw": "microgen.generators.laws",
    "Polycrystal": "microgen.generators.polycrystal",
    "PowerDiagram": "microgen.core.power_diagram",
    "Provenance": "microgen.provenance",
    "SizeLaw": "microgen.generators.laws",
    "Texture": "microgen.generators.laws",
    "interior_grains": "microgen.descriptors.grains",
    "read": "microgen.io",
    "read_provenance": "microgen.io.sidecar",
    "rebuild": "microgen.generators.rebuild",
    "resolve_box": "microgen.generators.box",
    "segment_grains": "microgen.segmentation",
    "solve_weights": "microgen.core.transport",
    "write": "microgen.io",
}
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'microgen' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
