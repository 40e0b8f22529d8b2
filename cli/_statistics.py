"""Statistics for readers and programs: lines, JSON objects and a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from microgen.io.atomic import atomic_path
from microgen.report.units import unit_of_number


def unit_of(name: str, value: Any, ndim: int) -> str:
    """Unit of a statistic, empty for counts and shares."""
    return unit_of_number(name, ndim) if _is_number(value) else value.unit


def statistics_objects(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """`statistics` {NAME: number or {mean, sd, n, unit}} and `curves` {NAME: {x, y, unit}}."""
    found: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    for name, value in statistics.items():
        if _is_curve(value):
            curves[name] = {"x": value.x, "y": value.y, "unit": value.unit}
        elif _is_number(value):
            found[name] = value
        else:
            found[name] = {"mean": value.mean, "sd": value.sd, "n": count(value), "unit": value.unit}
    return {"statistics": found, "curves": curves}


def statistics_rows(statistics: Mapping[str, Any], *, ndim: int) -> Iterator[str]:
    """A line for each number and distribution; curves are for the table and the JSON."""
    shown = {name: value for name, value in statistics.items() if not _is_curve(value)}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        if _is_number(value):
            text, number = f"{value:.5g}", ""
        else:
            text, number = f"{value.mean:.5g} ± {value.sd:.4g}", f"  (n = {count(value)})"
        yield f"{name:{width}}  {f'{text} {unit_of(name, value, ndim)}'.rstrip()}{number}"


def write_table(statistics: Mapping[str, Any], path: Path, *, ndim: int, overwrite: bool) -> None:
    """CSV with the columns name, x, value, sd, n, unit; a curve has a row for each x, in the unit given."""
    with atomic_path(path, overwrite) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "x", "value", "sd", "n", "unit"])
        for name, value in statistics.items():
            if _is_curve(value):
                rows = [[name, repr(float(x)), repr(float(y)), "", "", value.unit] for x, y in zip(value.x, value.y)]
                writer.writerows(rows)
            elif _is_number(value):
                writer.writerow([name, "", repr(value), "", "", unit_of(name, value, ndim)])
            else:
                writer.writerow([name, "", repr(value.mean), repr(value.sd), count(value), value.unit])


def count(distribution: Any) -> int:
    """How many were measured: where values are grouped the weights are their numbers."""
    return int(distribution.weights.sum()) if distribution.grouped else len(distribution)


def _is_curve(value: Any) -> bool:
    return hasattr(value, "x")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
