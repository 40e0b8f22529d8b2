"""Small level sets for the tests of formats."""

from __future__ import annotations

import numpy as np

from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase
from microgen.provenance import Provenance


def level_set(shape: tuple[int, ...] = (20, 24, 28), *, spacing: float = 50.0) -> Microstructure:
    """A gyroid with a provenance whose text needs escaping."""
    x, y, z = np.meshgrid(*(np.arange(n) * (2 * np.pi / n) for n in (*shape, 1)[:3]), indexing="ij")
    u = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x) - 0.2
    u = np.tanh(u).astype(np.float32).reshape(shape)
    made = Provenance("test", {"name": '<µ & "ü">'}, seed=3, time="2026-01-01T00:00:00+00:00")
    phase_id = np.where(u > 0, 0, -1).astype(np.int16)
    return Microstructure(
        Grid(shape, (spacing,) * len(shape)), phase_id, (Phase("solid"),), level_set=u, provenance=made
    )
