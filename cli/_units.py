"""Numbers with units as people write them: `0.5um`, `500 nm`, `5deg`."""

from __future__ import annotations

import math
import re

from microgen.errors import InvalidParameter

LEAST, MOST = 1e-12, 1e12
"""Lengths beyond these, in the unit asked for, are slips of the pen, and their cubes leave the range of numbers."""
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)")
MICROMETRES = {"": 1.0, "nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
MILLIMETRES = {unit: factor / 1e3 for unit, factor in MICROMETRES.items()} | {"": 1.0}
DEGREES = {"": 1.0, "deg": 1.0, "°": 1.0, "rad": 180.0 / math.pi, "mrad": 0.18 / math.pi}


def length(text: str, name: str = "length") -> float:
    """Length in µm; a plain number already is in µm."""
    return _parse(text, name, MICROMETRES, "a length such as 0.5um, 500nm or 0.02mm (a plain number is in µm)")


def millimetres(text: str, name: str = "length") -> float:
    """Length in mm; a plain number already is in mm."""
    return _parse(text, name, MILLIMETRES, "a length such as 5, 5mm or 800um (a plain number is in mm)")


def angle(text: str, name: str = "angle") -> float:
    """Angle in degrees; a plain number already is in degrees."""
    return _parse(text, name, DEGREES, "an angle such as 5deg or 0.087rad (a plain number is in degrees)")


def _parse(text: str, name: str, units: dict[str, float], expected: str) -> float:
    match = _NUMBER.fullmatch(text.strip())
    if match is None or match[2] not in units:
        raise InvalidParameter(name, expected=expected, got=text or "nothing, or a number below 0")
    value = float(match[1])
    if not math.isfinite(value) or value and units is not DEGREES and not LEAST < abs(value) * units[match[2]] < MOST:
        raise InvalidParameter(name, expected=expected, got=text, remedy="Nothing beyond 1e-12 to 1e12 is taken.")
    # 500 nm must give the same number as 0.5 um: divide by the whole factor where there is one.
    factor = units[match[2]]
    return value / round(1 / factor) if 0 < factor < 1e-2 else value * factor


def time_text(seconds: float) -> str:
    """Seconds as a reader wants them: `0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def bytes_text(count: float) -> str:
    """Bytes in binary units: `3.2 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
