"""microgen: scans in, statistically equal 3-D microstructures out. Names load on first use, so `import microgen` is quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# The command reads this line to tell this package from another one of the same import name.
_DISTRIBUTION = "microgen-gpu"

_HOME = {
    "Grid": "microgen.grid",
    "HexGrid": "microgen.grid",
    "Microstructure": "microgen.microstructure",
    "Phase": "microgen.microstructure",
    "Provenance": "microgen.provenance",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'microgen' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
