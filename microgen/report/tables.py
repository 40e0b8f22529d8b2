"""Tables as plain text cells, the same for the terminal, the page and a summary file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.report.units import unit_of_number

BLANK = "–"
"""Stands for what is not known."""


class StatisticLike(Protocol):
    """What the report reads of a statistic (`microgen.fitting.Statistic`)."""

    @property
    def target(self) -> float: ...
    @property
    def achieved(self) -> float: ...
    @property
    def distance(self) -> float: ...
    @property
    def noise_floor(self) -> float: ...
    @property
    def noise_floor_p95(self) -> float: ...
    @property
    def in_objective(self) -> bool: ...
    @property
    def unit(self) -> str: ...


@dataclass(frozen=True)
class Table:
    """Cells as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Member:
    """One sample of an ensemble, as far as its summary goes."""

    number: int
    seed: int | None
    files: tuple[str, ...] = ()
    achieved: Mapping[str, Any] = field(default_factory=dict)
    """`provenance.achieved` of the sample, or what its JSON holds of it."""

    @property
    def statistics(self) -> Mapping[str, Mapping[str, Any]]:
        """NAME -> {target, achieved, distance, ...}, as the provenance of a sample from a scan holds them."""
        return self.achieved.get("statistics") or {}


def verdict(statistic: StatisticLike) -> bool | None:
    """Whether the distance is not above the noise floor's p95, as between two scans of one material; None: unknown."""
    distance, limit = statistic.distance, statistic.noise_floor_p95
    if distance is None or limit is None or not (math.isfinite(distance) and math.isfinite(limit)):
        return None
    return distance <= limit


def statistics_table(statistics: Mapping[str, StatisticLike], names: Sequence[str] = ("scan", "sample")) -> Table:
    """One row a statistic; those the laws were corrected by come first, the others were never looked at before.

    `names` say what target and achieved are.
    """
    columns = ("statistic", *names, "distance", "noise floor", "p95", "inside", "role")
    ordered = sorted(statistics.items(), key=lambda item: not item[1].in_objective)
    return Table(columns, tuple(_row(name, statistic) for name, statistic in ordered))


def _row(name: str, s: StatisticLike) -> tuple[str, ...]:
    inside = {True: "yes", False: "no", None: BLANK}[verdict(s)]
    role = "objective" if s.in_objective else "held out"
    figures = (number(s.distance), number(s.noise_floor), number(s.noise_floor_p95))
    return (label(name), quantity(s.target, s.unit), quantity(s.achieved, s.unit), *figures, inside, role)


ERRORS = {
    "grains": "grains",
    "volume_error_mean": "volume error, mean",
    "volume_error_max_400": "max (400 voxels or more)",
    "subvoxel_error_max": "max (sub-voxel)",
}


def ensemble_summary(members: Sequence[Member]) -> Table:
    """One row a member: seed, volume errors, each statistic's distance; then mean ± standard deviation over members."""
    names = tuple(dict.fromkeys(name for member in members for name in member.statistics))
    figures = np.array([_figures(member, names) for member in members], float).reshape(
        len(members), len(ERRORS) + len(names)
    )
    heads = (*ERRORS.values(), *(f"{label(name)}: distance" for name in names))
    kept = np.array([np.isfinite(column).any() for column in figures.T], bool)
    percent = [head in list(ERRORS.values())[1:] for head in heads]
    rows = [
        (str(m.number), BLANK if m.seed is None else str(m.seed), *_cells(row, percent, kept), ", ".join(m.files))
        for m, row in zip(members, figures)
    ]
    if len(members) > 1:
        rows.append(("mean ± sd", "", *_spread(figures, percent, kept), ""))
    columns = ("member", "seed", *(head for head, keep in zip(heads, kept) if keep), "files")
    return Table(columns, tuple(rows))


def _figures(member: Member, names: Iterable[str]) -> list[float]:
    errors = [_float(member.achieved.get(key)) for key in ERRORS]
    return errors + [_float(member.statistics.get(name, {}).get("distance")) for name in names]


def _cells(row: np.ndarray, percent: Sequence[bool], kept: np.ndarray) -> list[str]:
    return [share(v) if p else number(v) for v, p, keep in zip(row, percent, kept) if keep]


def _spread(figures: np.ndarray, percent: Sequence[bool], kept: np.ndarray) -> list[str]:
    cells = []
    for column, p in zip(figures[:, kept].T, np.asarray(percent)[kept]):
        known = column[np.isfinite(column)]
        show = share if p else number
        spread = f" ± {show(known.std(ddof=1))}" if len(known) > 1 else ""
        cells.append(f"{show(known.mean())}{spread}")
    return cells


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def label(name: str) -> str:
    """A statistic's key as a reader would write it: `aspect_ratio` -> aspect ratio."""
    return name.replace("_", " ")


def number(value: float | None) -> str:
    """Three significant digits, or a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return BLANK
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", " ")


def share(value: float | None) -> str:
    """A fraction in percent."""
    return BLANK if value is None or not math.isfinite(value) else f"{number(100 * value)} %"


def quantity(value: float | None, unit: str = "") -> str:
    """A number with its unit; radians are shown in degrees."""
    if value is None or not math.isfinite(value):
        return BLANK
    if unit in ("rad", "radian", "radians"):
        return f"{number(math.degrees(value))}°"
    return f"{number(value)} {unit}".strip() if unit not in ("1", "-") else number(value)


def length(value: float) -> str:
    """A length in µm with the unit that reads best."""
    if not math.isfinite(value):
        return BLANK
    if value >= 1000:
        return f"{number(value / 1000)} mm"
    return f"{number(value)} µm" if value >= 0.995 else f"{number(value * 1000)} nm"


def numbers_table(statistics: Mapping[str, Any], ndim: int) -> Table:
    """Every number, and mean and standard deviation of every distribution; curves are left out."""
    rows = []
    for name, value in statistics.items():
        if isinstance(value, Distribution):
            factor, unit = per_mm(value.unit, value.mean)
            rows.append((label(name), number(factor * value.mean), f"± {number(factor * value.sd)}", unit))
        elif isinstance(value, int | float | np.number):
            factor, unit = per_mm(unit_of_number(name, ndim), float(value))
            rows.append((label(name), number(factor * float(value)), "", unit))
    return Table(("statistic", "value", "sd", "unit"), tuple(rows))


PER_MM = {"1/µm": (1e3, "1/mm"), "1/µm²": (1e6, "1/mm²"), "1/µm³": (1e9, "1/mm³")}


def per_mm(unit: str, value: float) -> tuple[float, str]:
    """Factor and unit for a reader: per mm where there would be zeros after the point, as of bone."""
    return PER_MM[unit] if unit in PER_MM and abs(value) < 0.1 else (1.0, unit)
