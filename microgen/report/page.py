"""One self-contained HTML page about a sample: pictures, target against achieved, provenance."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure
from microgen.provenance import RECORD, Provenance
from microgen.report import markup
from microgen.report.match_section import COMPARED, fit_section, match_section, verdict_chips
from microgen.report.orientation_section import orientation_section
from microgen.report.sample_section import box_view, sample_section, side_by_side
from microgen.report.scan_section import scan_section
from microgen.report.style import STYLE
from microgen.report.tables import ensemble_summary, share
from microgen.report.texture_page import texture_body

LONGEST_LIST = 12
"""Longer lists of the configuration are shown by their count; the sidecar file holds them in full."""


def render_report(
    sample: Microstructure,
    *,
    scan: Microstructure | None = None,
    segmented: Microstructure | None = None,
    statistics: Mapping[str, Any] | None = None,
    comparison: Mapping[str, Any] | None = None,
    provenance: Provenance | None = None,
    members: Sequence[Any] = (),
    warnings: Sequence[str] = (),
    title: str | None = None,
) -> str:
    """HTML text of the page: no network, no script, no second file; write it as UTF-8.

    `sample` needs labels and a grain table, or a level set (`statistics` then are those of `describe`, and `members`
    the rows of the summary); `provenance` defaults to its own. `scan` (as read), `segmented` and
    `statistics` (NAME -> Statistic) are left out for a sample without a scan. Of a level set fitted to a volume, `scan`
    is that volume and `comparison` (NAME -> Statistic) the two side by side. `members` adds the summary of an ensemble.
    Raises InvalidParameter.
    """
    if sample.level_set is not None:
        fitted = {"comparison": comparison, "volume": scan}
        return _texture(sample, statistics, provenance, members=members, warnings=warnings, title=title, **fitted)
    if sample.grain_id is None or sample.grains is None:
        raise InvalidParameter("sample", expected="a microstructure with grains and their table", got=sample.grid)
    made = provenance or sample.provenance or Provenance(command="")
    tolerance = _tolerance(made)
    parts = [_head(sample, statistics or {}, made, warnings=warnings, title=title)]
    parts.append(_glance(sample, segmented))
    if statistics:
        parts.append(match_section(statistics, names=(_measured(made), "sample")))
    if "fit" in made.achieved:
        parts.append(fit_section(made.achieved["fit"]))
    if scan is not None:
        parts.append(scan_section(scan, segmented, made.configuration))
    parts.append(sample_section(sample, tolerance, made.achieved))
    parts.append(orientation_section(sample, scan, segmented, statistics or {}))
    if members:
        parts.append(markup.section("The ensemble", markup.table(ensemble_summary(members))))
    parts.append(provenance_section(made))
    return _document("".join(parts), title=title or _title(made))


def render_comparison(statistics: Mapping[str, Any], *, names: tuple[str, ...], verdict: str) -> str:
    """HTML text of a page that holds two files against each other (NAME -> Statistic)."""
    title = " and ".join(names)
    head = f"<header><h1>{escape(title)}</h1>{markup.paragraph(verdict, style='lead')}</header>"
    return _document(head + match_section(statistics, COMPARED, names=names), title=title)


def _texture(
    sample: Microstructure,
    statistics: Mapping[str, Any] | None,
    provenance: Provenance | None,
    *,
    members: Sequence[Mapping[str, Any]],
    warnings: Sequence[str],
    title: str | None,
    **fitted: Any,
) -> str:
    made = provenance or sample.provenance or Provenance(command="")
    title = title or _texture_title(made)
    body = texture_body(sample, statistics or {}, made, members=members, warnings=warnings, title=title, **fitted)
    return _document(body + provenance_section(made), title=title)


def _texture_title(made: Provenance) -> str:
    run = made.configuration.get("run")
    flags = run.get("flags", {}) if isinstance(run, Mapping) else {}
    if "uct" in made.configuration:
        return f"Synthetic texture, fitted to {PurePath(made.configuration['uct']).name}"
    name = flags.get("preset") or (PurePath(flags["graded"]).stem if "graded" in flags else "")
    return f"Synthetic texture: {name}" if name else "Synthetic texture"


def provenance_section(made: Provenance) -> str:
    """Seed, version, inputs, configuration, and how to make the sample again."""
    items = [
        ("made by", f"{made.tool} {made.version}, {made.command}".rstrip(", ")),
        ("time", made.time),
        ("seed", str(made.seed)),
        ("device", f"{made.device}, {made.dtype}"),
        *(("input", f"{path}, sha256 {digest}") for path, digest in made.inputs.items()),
    ]
    again = (
        "<p>Every output carries this record, inside or beside it. <code>microgen rerun FILE</code> with any of them "
        "makes the same arrays again, bit for bit, on the same version and kind of device.</p>"
    )
    text = made.to_json()
    record = json.loads(text)
    details = [
        f"<details><summary>{name}</summary><pre>{escape(_shown(record[key]))}</pre></details>"
        for name, key in (("Configuration", "configuration"), ("Achieved figures", "achieved"))
        if record[key]
    ]
    whole = f"{RECORD[0]}{escape(text)}{RECORD[1]}"  # lists and all, for `microgen rerun` of the page
    return markup.section("How it was made", markup.facts(items), again, *details, whole)


def _shown(record: Any) -> str:
    """Indented JSON with long lists (measured orientations, quantiles) cut to their count."""
    return json.dumps(_cut(record), indent=2, ensure_ascii=False)


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    if isinstance(value, list):
        return f"{len(value)} values" if len(value) > LONGEST_LIST else [_cut(item) for item in value]
    return value


def _head(
    sample: Microstructure,
    statistics: Mapping[str, Any],
    made: Provenance,
    *,
    warnings: Sequence[str],
    title: str | None,
) -> str:
    grid = sample.grid
    assert sample.grains is not None
    kind = "voxels" if grid.ndim == 3 else "pixels"
    lead = f"{len(sample.grains)} grains on {' × '.join(map(str, grid.shape))} {kind}, seed {made.seed}"
    notes = "".join(markup.paragraph(text[:1].upper() + text[1:], style="warning") for text in warnings)
    chips = markup.chips([*_volume_chip(made), *verdict_chips(statistics, _measured(made))])
    words = markup.paragraph(lead, style="lead")
    return f"<header><h1>{escape(title or _title(made))}</h1>{words}{chips}{notes}</header>"


def _measured(made: Provenance) -> str:
    """What the sample was fitted to: a scan, a volume or numbers."""
    if "numbers" in made.configuration:
        return "numbers"
    return "volume" if made.achieved.get("scan", {}).get("grid") == "volume" else "scan"


def _volume_chip(made: Provenance) -> list[tuple[str, bool | None]]:
    """Whether the volumes meet the tolerance: voxel counts of grains with 400 voxels or more, sub-voxel ones below."""
    errors = [made.achieved.get(key) for key in ("volume_error_max_400", "subvoxel_error_max")]
    known = [float(e) for e in errors if e is not None and math.isfinite(e)]
    tolerance = _tolerance(made)
    if not known or tolerance is None:
        return []
    good = max(known) <= tolerance
    return [(f"volumes {'within' if good else 'miss'} {share(tolerance)}: largest error {share(max(known))}", good)]


def _glance(sample: Microstructure, segmented: Microstructure | None) -> str:
    """The first pictures: the sample, and its section beside the scan."""
    view = box_view(sample) if sample.grid.ndim == 3 else ""
    if segmented is None or segmented.grains is None:
        return markup.section("At a glance", view) if view else ""
    words = "Same size, same scale, same colours: a piece of the scan and a section of the sample."
    return markup.section("At a glance", view, markup.paragraph(words), side_by_side(segmented, sample))


def _tolerance(made: Provenance) -> float | None:
    """Volume tolerance of the run, at the top of its configuration or in one of its parts."""
    for part in (made.configuration, *(v for v in made.configuration.values() if isinstance(v, Mapping))):
        if isinstance(part.get("tolerance"), int | float):
            return float(part["tolerance"])
    return None


def _title(made: Provenance) -> str:
    names = ", ".join(PurePath(path).name for path in made.inputs)
    return f"Synthetic polycrystal after {names}" if names else "Synthetic polycrystal"


def _document(body: str, *, title: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )
