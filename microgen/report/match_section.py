"""Target against achieved: the table of all statistics, and the distributions behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.report import charts, markup
from microgen.report.tables import Table, label, number, statistics_table, verdict

NOISE = (
    "The noise floor is the distance that two {}s of this size would show by chance: its median, and its 95th "
    "percentile (p95). A statistic is inside when its distance is not above p95."
)
EXPLANATIONS = {
    "scan": "Sections of the sample were taken at the scan's own pixels and went through the same segmentation. "
    + NOISE.format("scan"),
    "volume": "Planes of the sample were taken at the voxels of the volume, and measured as planes of the volume were. "
    + NOISE.format("volume"),
    "numbers": "The numbers were measured in plane sections of the sample. A statistic is inside when it is not "
    "farther from its number than the tolerance, which stands in the column p95.",
}
"""By what the sample was fitted to."""


BLOCKS = (
    "Volume and sample were cut into blocks of one size and voxel, and each was measured in the same way. The noise "
    "floor is the distance that blocks of the volume show among themselves: its median, and its 95th percentile (p95). "
    "A statistic is inside when its distance is not above p95."
)


COMPARED = (
    "Both went through the same pipeline. The noise floor is the distance that the first file shows within itself, for "
    "as much data as is compared: its median, and its 95th percentile (p95). A statistic is inside when its distance "
    "is not above p95."
)


def match_section(
    statistics: Mapping[str, Any], explanation: str | None = None, *, names: Sequence[str] = ("scan", "sample")
) -> str:
    """The section of the page; every card shows one distribution as histogram and as cumulative curve."""
    ordered = dict(sorted(statistics.items(), key=lambda item: not item[1].in_objective))
    rulers = [charts.bullet(s.distance, s.noise_floor, s.noise_floor_p95) for s in ordered.values()]
    cells = markup.table(statistics_table(ordered, names), extra=rulers, extra_head="distance to p95", judged="inside")
    cards = [_card(name, s, names) for name, s in ordered.items() if series_of(s)]
    parts = [markup.paragraph(explanation or EXPLANATIONS[names[0]]), cells]
    if cards:
        parts += ["<br>", markup.legend(list(zip(names, ("target", "achieved")))), markup.row(cards, least=320)]
    title = f"Does the sample match the {names[0]}?" if names[1] == "sample" else "Are they alike?"
    return markup.section(title, *parts)


def series_of(statistic: Any, names: Sequence[str] = ("scan", "sample")) -> list[charts.Series] | None:
    """Values of both sides, degrees for radians; None where there is no distribution to draw.

    They are arrays, or `Distribution`s where values weigh differently (boundaries by their length).
    """
    series = []
    sides = zip((statistic.target_values, statistic.achieved_values), names, ("target", "achieved"))
    for values, name, style in sides:
        drawn = values if isinstance(values, Distribution) else _distribution(values)
        if drawn is None or len(drawn) < 2 or not np.isfinite(drawn.share).all():
            return None
        shown = np.degrees(drawn.values) if statistic.unit == "rad" else drawn.values
        series.append(charts.Series(name, shown, style, drawn.share))
    return series


def _distribution(values: Any) -> Distribution | None:
    if values is None or np.ndim(values) != 1:
        return None
    array = np.asarray(values, float)
    return Distribution(array[np.isfinite(array)])


def verdict_chips(statistics: Mapping[str, Any], measured: str = "scan") -> list[tuple[str, bool | None]]:
    """How many statistics of the objective, and how many held out, lie inside."""
    limit = "their tolerances" if measured == "numbers" else f"the {measured}'s own noise"
    chips: list[tuple[str, bool | None]] = []
    for name, wanted in (("objective", True), ("held-out", False)):
        known = [v for s in statistics.values() if s.in_objective == wanted and (v := verdict(s)) is not None]
        if known:
            good = all(known) if wanted or all(known) else None
            chips.append((f"{sum(known)} of {len(known)} {name} statistics inside {limit}", good))
    return chips


def _card(name: str, statistic: Any, names: Sequence[str]) -> str:
    series = series_of(statistic, names)
    assert series is not None
    unit = {"rad": "degrees", "": "", "1": "", "-": ""}.get(statistic.unit, statistic.unit)
    axis = f"{label(name)}{', ' if unit else ''}{unit}"
    inside = {True: "inside", False: "outside", None: "not judged"}[verdict(statistic)]
    floor, limit = number(statistic.noise_floor), number(statistic.noise_floor_p95)
    text = f"{inside}: distance {number(statistic.distance)}; noise floor {floor}, p95 {limit}"
    counts = f"{len(series[0].values)} values of the {names[0]}, {len(series[1].values)} of the {names[1]}"
    return markup.card(
        label(name).capitalize(),
        markup.paragraph(text, style="note"),
        charts.histogram(series, label=axis),
        charts.cumulative(series, label=axis),
        markup.paragraph(counts, style="note"),
    )


FOUND = (
    "Samples with parameters between these bounds, the others free, cannot be told from the best by this scan. Where "
    "the bounds are most of the range that was searched, the scan does not identify the parameter."
)


def fit_section(fit: Mapping[str, Any]) -> str:
    """What a Bayesian fit found: how near, and which parameters the data tell."""
    worth = f"{number(fit['value'])} ± {number(fit['spread'])}"
    items = [
        ("distance over p95, on fresh seeds", worth),
        ("the same in the search", number(fit["seen"])),
        ("samples made", str(fit["samples"])),
        ("ended", {"inside": "every statistic inside the median noise floor"}.get(fit["status"], "budget spent")),
    ]
    table = markup.table(estimates_table(fit))
    return markup.section("What the fit found", markup.facts(items), markup.paragraph(FOUND), table)


def estimates_table(fit: Mapping[str, Any]) -> Table:
    """Each parameter with its interval, and whether the data tell it."""
    rows = [
        (name, number(e["value"]), f"{number(e['low'])} to {number(e['high'])}", "yes" if e["identifiable"] else "no")
        for name, e in fit["estimates"].items()
    ]
    return Table(("parameter", "value", "alike between", "identifiable"), tuple(rows))
