"""Statistics of a texture for the JSON output and for a reader."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._progress import Reporter


def statistics_object(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The `statistics` object of the JSON output: a number each, or mean, sd and n; curves are left to the report."""
    found = {name: _plain(value) for name, value in statistics.items()}
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, int | float | np.number):
        return float(value)
    if not hasattr(value, "weights"):
        return None
    values, weights = np.asarray(value.values, float), np.asarray(value.weights, float)
    if not len(values) or values.ndim != 1:
        return {"mean": None, "sd": None, "n": 0}
    mean = float(np.average(values, weights=weights))
    return {"mean": mean, "sd": math.sqrt(float(np.average((values - mean) ** 2, weights=weights))), "n": len(values)}


def tell(statistics: Mapping[str, Any], ndim: int, reporter: Reporter) -> None:
    """A table on stderr."""
    from microgen.report.tables import numbers_table

    table = numbers_table(statistics, ndim)
    reporter.say()
    reporter.table(table.columns, table.rows)
    reporter.say()
