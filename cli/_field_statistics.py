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


def tell(statistics: Mapping[str, Any], reporter: Reporter) -> None:
    """A table on stderr."""
    rows = []
    for name, value in statistics_object(statistics).items():
        unit = getattr(statistics[name], "unit", "")
        mean, sd = (value["mean"], value["sd"]) if isinstance(value, dict) else (value, None)
        shown = "–" if mean is None or not math.isfinite(mean) else f"{mean:.4g}"
        rows.append((name.replace("_", " "), shown, "" if sd is None else f"± {sd:.3g}", unit))
    reporter.say()
    reporter.table(("statistic", "value", "sd", "unit"), rows)
    reporter.say()
