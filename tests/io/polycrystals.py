"""Small made-up polycrystals for the tests of the formats."""

from __future__ import annotations

import numpy as np

from microgen.grid import Grid
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.provenance import Provenance

PHASES = (Phase("Ni <γ> & co", "m-3m", (3.52, 3.52, 3.52, 90, 90, 90)), Phase("Mg", "6/mmm"))


def polycrystal(shape: tuple[int, ...] = (5, 7, 6), *, n: int = 12, periodic: tuple[bool, ...] = ()) -> Microstructure:
    """Random labels 0 (void) to n, two phases, a made-up diagram; voxels with a different size along each axis."""
    rng, d = np.random.default_rng(0), len(shape)
    grid = Grid(shape, (0.1, 0.7, 1 / 3)[:d], periodic=periodic)
    labels = rng.integers(0, n + 1, shape).astype(np.int32)
    labels.ravel()[: n + 1] = np.arange(n + 1)
    grains = random_grains(rng, n, grid.lengths)
    phase_id = np.append(-1, grains.phase_id)[labels].astype(np.int16)
    provenance = Provenance(
        "polycrystal", {"size": {"cv": 0.35}, "file": "µ <&> \udce9"}, seed=3, achieved={"grains": n}
    )
    return Microstructure(grid, phase_id, PHASES, labels, grains=grains, provenance=provenance)


def random_grains(rng: np.random.Generator, n: int, lengths: tuple[float, ...]) -> Grains:
    """A table of grains whose metrics have aspect ratios up to about ten."""
    d = len(lengths)
    q = rng.standard_normal((n, 4))
    b = rng.standard_normal((n, d, d))
    return Grains(
        (np.arange(n) % 2).astype(np.int16),
        q / np.linalg.norm(q, axis=1, keepdims=True),
        rng.random(n),
        volume_target=rng.random(n),
        sites=rng.random((n, d)) * lengths,
        metrics=b @ b.swapaxes(1, 2) + 0.1 * np.eye(d),
        weights=rng.standard_normal(n) * 1e-3,
    )
