"""From a scan to its grains (points of one phase that differ by less than an angle), from grey values to a solid."""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from microgen.errors import InvalidParameter, NoGrains
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.orientation import grouped_mean_orientation, misorientation_angle


def segment_grains(scan: Microstructure, *, threshold: float = math.radians(5), min_pixels: int = 10) -> Microstructure:
    """Grains of a scan: the same map with grain_id 1..N at every point and the table `grains` filled.

    Neighbouring indexed points belong together when they are of one phase and their misorientation is below
    `threshold` (radians). Regions of fewer than `min_pixels` points and points that are not indexed go to the grain of
    the nearest point that is kept, distance in µm, and take its phase and mean orientation. Places where the file has
    no point at all stay 0 (phase -1): nobody looked there, and a map that lacks most of its points would otherwise be
    filled with grains of a few. Grains are numbered by their first point. Orientation is the mean over the kept points,
    volume the area after filling, µm².

    Raises InvalidParameter for a useless threshold or min_pixels, NoGrains when no region is large enough.
    """
    _check(threshold, min_pixels)
    phase, q = scan.phase_id.ravel(), scan.point_orientation.reshape(-1, 4)
    present = _present(scan)
    indexed = present & (phase >= 0)
    kept = _large_enough(_regions(scan, q, indexed, threshold), indexed, min_pixels)
    grain = _filled(scan.grid, kept, present)
    grains = _table(scan, kept, grain, q)
    filled = (kept == 0) & (grain > 0)
    rows = grain[filled] - 1
    phase_id, orientation = np.where(present, phase, -1).astype(np.int16), np.array(q, float)
    phase_id[filled], orientation[filled] = grains.phase_id[rows], grains.orientation[rows]
    shape = scan.grid.shape
    return replace(
        scan,
        grain_id=grain.reshape(shape),
        phase_id=phase_id.reshape(shape),
        orientation=orientation.reshape(*shape, 4),
        grains=grains,
    )


def threshold(ms: Microstructure, value: float | str = "otsu", *, invert: bool = False) -> Microstructure:
    """Solid where the grey values (or the level set) lie above `value`: phase_id 0 there and -1 elsewhere.

    In place of a number: "otsu", the value that divides the grey values into two classes of least variance;
    "multi-otsu" or "multi-otsu:N", into three or N, of which the brightest is solid (Liao, Chen & Chung, J. Inf. Sci.
    Eng. 17 (2001) 713); "hysteresis:LOW,HIGH", above LOW and connected, face to face, to a point above HIGH (Canny,
    IEEE PAMI 8 (1986) 679). `invert` takes as solid what would be void, for pores that are bright. A level set is
    lowered by the value, so that it is zero on the surface again; hysteresis leaves none. What was taken is in the
    last note. Raises InvalidParameter when there is nothing to divide, or when all or none of the points are solid.
    """
    values = ms.grey if ms.grey is not None else ms.level_set
    if values is None:
        raise InvalidParameter("ms", expected="a volume of grey values or a level set", got="neither")
    full, note, cut = _divided(values, value)
    if full.all() or not full.any():
        low, high = values.min(), values.max()
        between = f"a value from {low:g} to below {high:g}, or otsu"
        remedy = f"The grey values go from {low:g} to {high:g}: this takes {'all' if full.any() else 'none'} of them."
        raise InvalidParameter("threshold", expected=between, got=value, remedy=remedy)
    full = ~full if invert else full
    level_set = None
    if ms.level_set is not None and cut is not None:
        level_set = (-1 if invert else 1) * (ms.level_set - np.float32(cut))
    phase_id = np.where(full, 0, -1).astype(np.int16)
    note = f"void {note}: solid is what is darker" if invert else f"solid {note}"
    return replace(
        ms, phase_id=phase_id, phases=(Phase("solid"),), level_set=level_set, grain_id=None, notes=(*ms.notes, note)
    )


def _divided(values: np.ndarray, rule: float | str) -> tuple[np.ndarray, str, float | None]:
    """Bright points, how they were found, and the one value that divides them where there is one."""
    kind, mark, rest = str(rule).strip().partition(":")
    if kind == "otsu" and not mark:
        cut = otsu(values)
        return values > cut, f"above {cut:g} (otsu)", cut
    if kind == "multi-otsu":
        cuts = multi_otsu(values, _classes(rest if mark else "3", rule))
        return values > cuts[-1], f"above {cuts[-1]:g} (multi-otsu: {', '.join(f'{c:g}' for c in cuts)})", cuts[-1]
    if kind == "hysteresis":
        from skimage.filters import apply_hysteresis_threshold

        low, high = _two_numbers(rest, rule)
        return apply_hysteresis_threshold(values, low, high), f"above {low:g}, connected to above {high:g}", None
    try:
        cut = float(rule)
    except ValueError:
        cut = math.nan
    if not math.isfinite(cut):
        expected = "a number, otsu, multi-otsu, multi-otsu:N or hysteresis:LOW,HIGH"
        raise InvalidParameter("threshold", expected=expected, got=rule, remedy="Without a number in mind, take otsu.")
    return values > cut, f"above {cut:g}", cut


def _classes(text: str, rule: float | str) -> int:
    if text not in ("2", "3", "4", "5"):
        remedy = "multi-otsu alone takes three classes."
        raise InvalidParameter("threshold", expected="multi-otsu:2 to multi-otsu:5", got=rule, remedy=remedy)
    return int(text)


def _two_numbers(text: str, rule: float | str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = math.nan, math.nan
    if not -math.inf < low <= high < math.inf:
        remedy = "LOW up to HIGH, both in the unit of the grey values, such as hysteresis:60,90."
        raise InvalidParameter("threshold", expected="hysteresis:LOW,HIGH", got=rule, remedy=remedy)
    return low, high


def multi_otsu(values: np.ndarray, classes: int = 3) -> list[float]:
    """Thresholds, `classes` - 1 of them, of largest variance between classes. Liao et al., JISE 17 (2001) 713.

    Exact for up to 256 grey levels, else over 256 classes: the search takes a table of their square. Raises
    InvalidParameter when there are fewer different values than classes.
    """
    from skimage.filters import threshold_multiotsu

    low, high = values.min(), values.max()
    if values.dtype.kind in "iu" and int(high) - int(low) < 256:
        levels = np.arange(int(low), int(high) + 1, dtype=float)
        counts = np.bincount((values.ravel().astype(np.int64) - int(low)), minlength=len(levels))
    else:
        counts, edges = np.histogram(values, 256)
        levels = edges[1:]
    if np.count_nonzero(counts) < classes:
        remedy = "Take fewer classes: multi-otsu:N, or otsu."
        raise InvalidParameter(
            "threshold",
            expected=f"{classes} different grey values or more",
            got=np.count_nonzero(counts),
            remedy=remedy,
        )
    return [float(cut) for cut in threshold_multiotsu(hist=(counts.astype(float), levels), classes=classes)]


def otsu(values: np.ndarray) -> float:
    """Threshold of largest variance between the values up to it and those above. Otsu, IEEE SMC 9 (1979) 62.

    Exact for whole numbers of up to 16 bits; else over 65536 classes. Raises InvalidParameter for a single value.
    """
    low, high = values.min(), values.max()
    if not low < high:
        raise InvalidParameter("values", expected="two different values or more", got=low)
    if values.dtype.kind in "iu" and int(high) - int(low) < 65536:
        levels = np.arange(int(low), int(high) + 1, dtype=float)
        counts = np.bincount((values.ravel() - low).astype(np.uint16), minlength=len(levels)).astype(float)
    else:
        counts, edges = np.histogram(values, 65536)
        levels = edges[1:]
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * levels)[:-1]
    total, weight = (counts * levels).sum() / counts.sum(), below / counts.sum()
    between = (total * weight - sums / counts.sum()) ** 2 / (weight * (1 - weight))
    return float(levels[:-1][np.argmax(between)])


def _check(threshold: float, min_pixels: int) -> None:
    if not (isinstance(threshold, Real) and 0 < threshold < math.pi):
        raise InvalidParameter("threshold", expected="an angle between 0 and pi, radians", got=threshold)
    if isinstance(min_pixels, bool) or not isinstance(min_pixels, Integral) or min_pixels < 1:
        raise InvalidParameter("min_pixels", expected="an integer of 1 or more", got=min_pixels)


def _regions(scan: Microstructure, q: np.ndarray, indexed: np.ndarray, threshold: float) -> np.ndarray:
    """Number of the connected region of each point [size], by first points; meaningless where not indexed."""
    i, j = scan.grid.neighbour_pairs()
    phase = scan.phase_id.ravel()
    alike = indexed[i] & indexed[j] & (phase[i] == phase[j])
    i, j = i[alike], j[alike]
    together = np.abs(np.einsum("nk,nk->n", q[i], q[j])) > math.cos(threshold / 2)
    # Most neighbours agree without symmetry; only the others need the search over the group.
    for number in np.unique(phase[i[~together]]):
        rest = np.flatnonzero(~together & (phase[i] == number))
        angle = misorientation_angle(q[i[rest]], q[j[rest]], scan.phases[number].laue_group)
        together[rest] = angle < threshold
    i, j = i[together], j[together]
    links = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(len(phase), len(phase)))
    return connected_components(links, directed=False)[1]


def _large_enough(region: np.ndarray, indexed: np.ndarray, min_pixels: int) -> np.ndarray:
    """Grain number 1..N of the points of regions with at least min_pixels points, 0 elsewhere: int32 [size]."""
    sizes = np.bincount(region[indexed])
    large = sizes >= min_pixels
    if not large.any():
        raise NoGrains(_why_none(sizes, min_pixels))
    number = np.where(large, np.cumsum(large), 0).astype(np.int32)
    kept = np.zeros(len(region), np.int32)
    kept[indexed] = number[region[indexed]]
    return kept


def _why_none(sizes: np.ndarray, min_pixels: int) -> str:
    if len(sizes) == 0:
        return "The scan holds no grain: none of its points is indexed. Index the patterns again, or check the phases."
    return (
        f"The scan holds no grain: its largest region has {sizes.max()} points, fewer than min_pixels = {min_pixels}. "
        "Lower min_pixels or raise the threshold."
    )


def _filled(grid: Grid | HexGrid, kept: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Grain of every present point: its own where kept, else that of the nearest kept point."""
    grain = kept.copy()
    empty = np.flatnonzero((kept == 0) & present)
    if len(empty) == 0:
        return grain
    if isinstance(grid, Grid) and not any(grid.periodic):
        nearest = distance_transform_edt(
            (kept == 0).reshape(grid.shape), sampling=grid.spacing, return_distances=False, return_indices=True
        )
        grain[empty] = kept.reshape(grid.shape)[tuple(nearest)].ravel()[empty]  # pyright: ignore[reportArgumentType]
        return grain
    points = grid.points() - np.asarray(grid.origin)
    period = [h if p else 0.0 for h, p in zip(grid.lengths, grid.periodic)]
    full = np.flatnonzero(kept)
    _, closest = KDTree(points[full], boxsize=period).query(points[empty])
    grain[empty] = kept[full[closest]]
    return grain


def _present(scan: Microstructure) -> np.ndarray:
    """bool [size]: points that the grid has and the file holds."""
    there = np.ones(scan.grid.size, bool) if scan.measured is None else scan.measured.ravel().copy()
    if isinstance(scan.grid, HexGrid):
        there &= scan.grid.exists().ravel()
    return there


def _table(scan: Microstructure, kept: np.ndarray, grain: np.ndarray, q: np.ndarray) -> Grains:
    points = np.flatnonzero(kept)
    number = kept[points] - 1
    count = int(number.max()) + 1
    phase_id = np.empty(count, np.int16)
    phase_id[number] = scan.phase_id.ravel()[points]
    orientation = np.empty((count, 4))
    for phase in np.unique(phase_id):
        of_phase = phase_id == phase
        here = of_phase[number]
        row = np.cumsum(of_phase) - 1
        group = scan.phases[phase].laue_group
        orientation[of_phase] = grouped_mean_orientation(q[points[here]], row[number[here]], group)
    volume = np.bincount(grain, minlength=count + 1)[1:] * scan.grid.cell_measure
    return Grains(phase_id=phase_id, orientation=orientation, volume=volume)
