"""A volume again from its table of grains, on any grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.provenance import Provenance


def rebuild(
    grains: Grains,
    grid: Grid,
    *,
    lengths: Sequence[float],
    periodic: Sequence[bool],
    phases: Sequence[Phase] = (),
) -> Microstructure:
    """The power diagram of `grains` in the box [0, lengths) µm, as labels on `grid`.

    Voxels detached from their grain go to the neighbour that shares most faces with them, as in a sample: on the
    grid of the sample the labels are the sample's own. Raises InvalidParameter for grains without sites, metrics
    and weights (a measured scan has none).
    """
    import torch

    from microgen.core.kernels.islands import give_away_islands
    from microgen.core.power_diagram import PowerDiagram

    if grains.sites is None or grains.metrics is None or grains.weights is None:
        raise InvalidParameter("grains", expected="sites, metrics and weights of every grain", got="a table without")
    sites, metrics, weights = (
        torch.from_numpy(np.asarray(a, np.float64)) for a in (grains.sites, grains.metrics, grains.weights)
    )
    diagram = PowerDiagram(sites, metrics, weights, tuple(lengths), tuple(periodic))
    labels = diagram.labels(grid).numpy()
    volume = labels if grid.ndim == 3 else labels[None]
    wrap = np.array((False,) * (3 - grid.ndim) + grid.periodic)
    islands = give_away_islands(volume, wrap, len(grains))
    counts = np.bincount(labels.ravel(), minlength=len(grains) + 1)[1:]
    names = tuple(phases) or tuple(Phase(f"phase {k}") for k in range(int(grains.phase_id.max(initial=0)) + 1))
    return Microstructure(
        grid,
        grains.phase_id.astype(np.int16)[labels - 1],
        names,
        labels,
        grains=replace(grains, volume=counts * grid.cell_measure),
        provenance=Provenance("rebuild", achieved={"grains": len(grains), "island_voxels": islands}),
    )
