"""What is shown of a sample: a number at every point, and the colours of these numbers, one table for each way."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure
from microgen.report.colours import NOT_INDEXED, PHASE_HUES, grain_colours, ipf_of_orientations, phase_rgb
from microgen.report.rendering import SOLID

DIRECTIONS = {"ipf-x": (1.0, 0.0, 0.0), "ipf-y": (0.0, 1.0, 0.0), "ipf-z": (0.0, 0.0, 1.0)}
WAYS = (*DIRECTIONS, "phase", "grain", "level-set", "grey")
"""Ways to colour a sample."""
MOST_NUMBERS = 65535
"""Numbers that two bytes hold."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A sample as numbers with colours."""

    numbers: np.ndarray
    """int32 [shape]: 0 where there is nothing."""
    colours: dict[str, np.ndarray]
    """Way -> uint8 [numbers + 1, 3], the way shown first in front; row 0 is grey."""
    grain_id: np.ndarray | None = None
    """int [numbers + 1]: which grain a number is, where numbers are grains."""
    phase_id: np.ndarray | None = None
    """int [numbers + 1]: phase of a number, -1 for none."""
    notes: tuple[str, ...] = field(default=())

    def of_points(self, way: str) -> np.ndarray:
        """Colour of every point, uint8 [points, 3]."""
        return self.colours[way][self.numbers.ravel()]


def ways_of(ms: Microstructure) -> tuple[str, ...]:
    """The ways in which a sample can be coloured, the most telling one first."""
    if ms.level_set is not None:
        return ("level-set",)
    if ms.grey is not None and not ms.phases:
        return ("grey",)
    oriented = ms.orientation is not None or ms.grains is not None
    grains = ms.grain_id is not None and int(ms.grain_id.max(initial=0)) > 0
    ways = ("ipf-z", "ipf-x", "ipf-y") if oriented and ms.phases else ()
    return (*ways, *(("grain",) if grains else ()), "phase")


def paint(ms: Microstructure, way: str | None = None) -> Painted:
    """Numbers and colours of a sample, `way` first. Raises InvalidParameter for a way it cannot have."""
    ways = ways_of(ms)
    if way is not None and way not in ways:
        remedy = _remedy(way, ways)
        raise InvalidParameter("color", expected=f"one of {', '.join(ways)} for this file", got=way, remedy=remedy)
    order = (way, *(w for w in ways if w != way)) if way else ways
    if "level-set" in ways:
        return Painted(np.where(ms.phase_id >= 0, 1, 0).astype(np.int32), {"level-set": _table(SOLID[None])})
    if "grey" in ways:
        return _grey(ms)
    if ms.grain_id is not None and int(ms.grain_id.max(initial=0)) > 0:
        return _grains(ms, order)
    return _points(ms, order)


def _remedy(way: str, ways: tuple[str, ...]) -> str:
    if way in DIRECTIONS and "grain" in ways:
        return "This file holds no orientations; the .vti of the same run does."
    return f"Leave --color out to see it by {ways[0]}."


def _table(colours: np.ndarray) -> np.ndarray:
    return np.vstack([[NOT_INDEXED], colours]).astype(np.uint8)


def _grey(ms: Microstructure) -> Painted:
    """Brightness in 256 steps between the first and the last thousandth of the values."""
    assert ms.grey is not None
    values = ms.grey.astype(np.float32)
    few = values.ravel()[:: max(1, values.size // 1_000_000)]
    few = few[np.isfinite(few)]
    low, high = (float(x) for x in np.quantile(few, (0.001, 0.999))) if len(few) else (0.0, 1.0)
    step = np.clip(np.nan_to_num((values - low) / ((high - low) or 1.0)), 0, 1)
    ramp = np.repeat(np.arange(256)[:, None], 3, axis=1)
    return Painted((1 + np.round(255 * step)).astype(np.int32), {"grey": _table(ramp)})


def _grains(ms: Microstructure, order: tuple[str, ...]) -> Painted:
    """A number for each grain that occurs; its phase and orientation are those of its middle point in memory order."""
    assert ms.grain_id is not None
    ids, place, counts = np.unique(ms.grain_id.ravel(), return_inverse=True, return_counts=True)
    numbers = place.reshape(ms.grid.shape) + (0 if ids[0] == 0 else 1)
    ordered = np.argsort(place, kind="stable")
    middle = ordered[np.cumsum(counts) - counts + counts // 2]
    if ids[0] == 0:
        ids, middle = ids[1:], middle[1:]
    phase = ms.phase_id.ravel()[middle].astype(int)
    colours = _colours(ms, order, phase, None if ms.orientation is None else ms.orientation.reshape(-1, 4)[middle], ids)
    none = np.array([0])
    return Painted(numbers.astype(np.int32), colours, np.concatenate([none, ids]), np.concatenate([none - 1, phase]))


def _points(ms: Microstructure, order: tuple[str, ...]) -> Painted:
    """Without grains: a number for each phase, or for each set of colours where points have orientations."""
    phase = ms.phase_id.ravel().astype(int)
    if ms.orientation is None:
        table = np.arange(len(ms.phases) or int(phase.max(initial=0)) + 1)
        return Painted(
            ms.phase_id.astype(np.int32) + 1, _colours(ms, order, table, None, table), None, np.append(-1, table)
        )
    colours = _colours(ms, order, phase, ms.orientation.reshape(-1, 4), np.arange(len(phase)))
    shown = np.hstack([colours[way][1:] for way in order])
    lost = 0
    while True:  # colours are made coarser until there are few enough of them
        kept, first, place = _unlike(shown >> lost, phase)
        if kept <= MOST_NUMBERS:
            break
        lost += 1
    numbers = np.where(phase >= 0, place + 1, 0).reshape(ms.grid.shape).astype(np.int32)
    return Painted(numbers, {w: _table(colours[w][1:][first]) for w in order}, None, np.append(-1, phase[first]))


def _unlike(shown: np.ndarray, phase: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    code = np.zeros(len(shown), np.uint64)
    for column in (*shown.T, phase + 1):  # a hash: two sets of colours meet once in 10^19
        code = code * np.uint64(6364136223846793005) + column.astype(np.uint64) + np.uint64(1442695040888963407)
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    return len(first), first, place


def _colours(
    ms: Microstructure, order: tuple[str, ...], phase: np.ndarray, q: np.ndarray | None, ids: np.ndarray
) -> dict[str, np.ndarray]:
    """Tables by way for numbers with these phases, orientations and grains."""
    if q is None and ms.grains is not None:
        q = ms.grains.orientation[np.clip(ids - 1, 0, len(ms.grains) - 1)]
    tables = {}
    for way in order:
        if way in DIRECTIONS:
            assert q is not None
            tables[way] = ipf_of_orientations(np.asarray(q, float), phase, ms.phases, direction=DIRECTIONS[way])
        elif way == "grain":
            tables[way] = grain_colours(ids, 1)
        else:
            hues = np.array([phase_rgb(k) for k in range(len(PHASE_HUES))])
            tables[way] = np.where(phase[:, None] >= 0, hues[np.maximum(phase, 0) % len(hues)], NOT_INDEXED)
    return {way: _table(table) for way, table in tables.items()}
