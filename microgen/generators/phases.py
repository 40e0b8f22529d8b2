"""Which grain belongs to which phase, so that the phases fill their shares of the volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SWAPS = 200  # moves after the random fill; each brings the worst phase nearer, a few suffice


def assign_phases(
    volumes: np.ndarray, fractions: Sequence[float], growth: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """Phase of each grain, int16 [n], independent of its size.

    volumes [n] are those before the grains of phase p grow growth[p] times in volume; the volumes after meet the
    fractions within the smallest grain that can still be moved. A random order is cut into runs, then single
    grains move between the phase with the largest excess and the one with the largest deficit.
    """
    share, grown = np.asarray(fractions, float), np.asarray(growth, float)
    numbers = share / grown
    ends = np.cumsum(numbers / numbers.sum())
    order = rng.permutation(len(volumes))
    filled = np.cumsum(volumes[order])
    middle = (filled - volumes[order] / 2) / filled[-1]
    phase = np.empty(len(volumes), np.int16)
    phase[order] = np.minimum(np.searchsorted(ends, middle), len(share) - 1)
    for _ in range(SWAPS if len(share) > 1 else 0):
        if not _move(phase, volumes, share, grown):
            break
    return phase


def _move(phase: np.ndarray, volumes: np.ndarray, share: np.ndarray, growth: np.ndarray) -> bool:
    """Move the one grain that helps most; False when none does."""
    held = np.bincount(phase, volumes, len(share)) * growth
    excess = held / held.sum() - share
    rich, poor = int(excess.argmax()), int(excess.argmin())
    if rich == poor:
        return False
    grains = np.flatnonzero(phase == rich)
    if len(grains) < 2:
        return False
    # After a move the two phases' errors add up to the least where the grain is nearest to what both want.
    wanted = (excess[rich] - excess[poor]) / 2 * held.sum() / (growth[rich] + growth[poor]) * 2
    best = grains[np.abs(volumes[grains] - wanted).argmin()]
    moved = held.copy()
    moved[rich] -= volumes[best] * growth[rich]
    moved[poor] += volumes[best] * growth[poor]
    if np.abs(moved / moved.sum() - share).sum() >= np.abs(excess).sum() - 1e-15:
        return False
    phase[best] = poor
    return True
