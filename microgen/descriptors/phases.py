"""Shares of the phases."""

from __future__ import annotations

import numpy as np

from microgen.microstructure import Microstructure


def phase_fraction(ms: Microstructure) -> dict[str, float]:
    """Area (volume) fraction of each phase by name, A_p / sum A over the points that belong to a phase.

    By Delesse's principle the area fraction of a random section estimates the volume fraction. All phases of the
    header are named, also those that never occur; nan for each when no point belongs to one.
    """
    counts = np.bincount(ms.phase_id[ms.phase_id >= 0], minlength=len(ms.phases))
    total = counts.sum() or np.nan
    return {phase.name: float(count / total) for phase, count in zip(ms.phases, counts)}
