"""Units of statistics that are plain numbers; distributions and curves carry their own."""

from __future__ import annotations


def unit_of_number(name: str, ndim: int) -> str:
    """Unit of a plain number of a sample of `ndim` dimensions, in powers of µm; empty for counts and shares."""
    powers = {"specific_surface": 1, "connectivity_density": ndim}
    power = powers.get(name)
    return "" if power is None else "1/µm" + {1: "", 2: "²", 3: "³"}[power]
