"""An atlas whose figures follow from one number a row, so that every answer is known."""

from __future__ import annotations

import numpy as np

from microgen.atlas import COLUMNS, STATISTICS, Atlas

SETTINGS = {"shape": [64, 64, 64], "dx": 0.01, "eps": 0.02, "seed": 3, "prior": {"curvature": 25.0}}


def made_up_atlas(n: int = 30, *, length: np.ndarray | float = 0.08) -> Atlas:
    """Row k has volume fraction (k + 1)/(n + 2), and thickness length, separation length (2 + k/n)."""
    k = np.arange(n)
    columns = {name: np.zeros(n) for name in COLUMNS}
    columns |= {"sample": k + 1, "seed": 100 + k, "status": np.full(n, "converged")}
    size = np.broadcast_to(np.asarray(length, float), (n,))
    relative = {name: 1.0 + 0.1 * np.cos(k * (j + 1)) for j, name in enumerate(STATISTICS)}
    relative |= {"volume_fraction": (k + 1) / (n + 2), "thickness": np.ones(n), "separation": 2 + k / n}
    relative["correlation_length"] = np.ones(n)
    columns |= {name: value * size ** STATISTICS[name] for name, value in relative.items()}
    for j, name in enumerate(("a20", "a11", "a02", "b10", "b01", "c", "mass")):
        columns[name] = 1.0 + j + k / n - (8.5 if name == "mass" else 0)
    return Atlas(dict(SETTINGS), columns)
