"""`microgen compare A B`: two scans, volumes or samples, every statistic they share, and whether they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import radians
from pathlib import Path
from typing import Any

import microgen
from microgen import Microstructure
from microgen.errors import InvalidParameter, TargetNotMet
from microgen.io.atomic import atomic_path, check_writable

from ._flags import Talk
from ._json import dumps
from ._outputs import HTML
from ._progress import Reporter
from ._request import demand
from ._result import result_object, statistics_object
from ._volume import VolumeFlags, read_any


def compare(
    a: Path,
    b: Path,
    *,
    threshold: float = 5.0,
    min_pixels: int = 10,
    grey_threshold: str = "",
    spacing: float | None = None,
    report: Path | None = None,
    seed: int = 0,
    talk: Talk = Talk(),  # noqa: B008 - frozen
) -> int:
    """Compare two files of any kind: A is what was measured, B what is held against it.

    Scans and samples of grains are compared by sections, solids by blocks; the noise floor is that of A. Exit code 5
    when a statistic differs by more than the 95th percentile of that floor.

    Parameters
    ----------
    a
        A scan, a volume of grains, or a volume of solid and void.
    b
        Another one; a sample made by microgen, for example.
    threshold
        Misorientation that separates two grains, degrees.
    min_pixels
        Smaller grains are given to their neighbours.
    grey_threshold
        Grey value above which there is solid, of files with grey values; or otsu, multi-otsu[:N], hysteresis:LOW,HIGH.
    spacing
        Size of a voxel, for files that do not say it.
    report
        Write a self-contained HTML page with both side by side.
    seed
        Of the noise floor.
    talk.json
        Print one JSON object.
    talk.overwrite
        Replace the page if it exists.
    talk.quiet
        No progress, no table.
    """
    reporter = Reporter(quiet=talk.quiet)
    check(threshold, min_pixels, seed, report=report)
    if report is not None:
        check_writable([report], overwrite=talk.overwrite)
    flags = VolumeFlags(grey_threshold=grey_threshold)
    sizes = () if spacing is None else (spacing,)
    first, second = (told(path, read_any(path, flags, spacing=sizes), reporter) for path in (a, b))
    second = seen_like(first, second, (a, b))
    target = target_of(first, threshold=threshold, min_pixels=min_pixels)
    for note in target.caveats:
        reporter.warn(note)
    with reporter.stage("comparing", "compare"):
        found = microgen.compare(second, target, seed=seed)
    outside = [name for name, s in found.items() if not s.inside and s.distance == s.distance]
    verdict = verdict_of(found, outside)
    show(found, reporter)
    if talk.json:
        reporter.say(verdict)
    written = [report] if report is not None else []
    if report is not None:
        save(report, found, (a, b), verdict, overwrite=talk.overwrite)
    finish(found, reporter, (a, b), written, verdict=verdict, json=talk.json)
    if outside:
        raise TargetNotMet(f"{b} differs from {a} by more than the noise of {a} in: {', '.join(outside)}.")
    return 0


def check(threshold: float, min_pixels: int, seed: int, *, report: Path | None) -> None:
    """Refuse flags that no file can make right."""
    demand(0 < threshold <= 180, "--threshold", "an angle above 0 and up to 180 degrees", threshold)
    demand(min_pixels >= 1, "--min-pixels", "1 or more", min_pixels)
    demand(seed >= 0, "--seed", "0 or more", seed)
    demand(report is None or report.suffix.lower() in HTML, "--report", "a page, NAME.html", report)


def told(path: Path, ms: Microstructure, reporter: Reporter) -> Microstructure:
    """Say what a file was understood to be."""
    grid = ms.grid
    kind = "grains" if ms.grain_id is not None else "orientations" if ms.orientation is not None else "solid and void"
    steps = [f"{h:.4g}" for h in (grid.spacing if len(set(grid.spacing)) > 1 else grid.spacing[:1])]
    reporter.say(f"{path}: {' x '.join(map(str, grid.shape))} points of {' x '.join(steps)} µm, {kind}")
    for note in ms.notes:
        reporter.say(f"  {note}")
    return ms


def seen_like(first: Microstructure, second: Microstructure, files: tuple[Path, Path]) -> Microstructure:
    """B as A is seen. A volume of grains is seen in planes of its own voxels, so B's diagram, which could be cut
    anywhere, stays out of it: else a file would differ from itself."""
    if not has_grains(first):
        return second
    if not has_grains(second):
        expected = f"two files of grains, as {files[0]} holds grains"
        raise InvalidParameter("A, B", expected=expected, got=f"{files[1]}: solid and void")
    if first.grid.ndim == 2 or second.grains is None:
        return second
    return replace(second, grains=replace(second.grains, sites=None, metrics=None, weights=None))


def has_grains(ms: Microstructure) -> bool:
    """Does it hold grains, or orientations that tell them?"""
    return ms.grain_id is not None or ms.orientation is not None


def target_of(ms: Microstructure, *, threshold: float, min_pixels: int) -> Any:
    """What is measured of A."""
    if has_grains(ms):
        return microgen.Target.of(ms, threshold=radians(threshold), min_pixels=min_pixels)
    return microgen.Target.of(ms)


def show(found: Mapping[str, Any], reporter: Reporter) -> None:
    """The table, on stderr."""
    reporter.say()
    reporter.table(*table(found))
    reporter.say()


def table(statistics: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows for a reader: nothing was fitted, so there is no role."""
    from microgen.report import statistics_table

    cells = statistics_table(statistics, ("A", "B"))
    return cells.columns[:-1], [row[:-1] for row in cells.rows]


def verdict_of(found: Mapping[str, Any], outside: list[str]) -> str:
    """In a line."""
    known = [s for s in found.values() if s.distance == s.distance and s.noise_floor_p95 == s.noise_floor_p95]
    if not known:
        raise InvalidParameter("A, B", expected="files that share a statistic", got="none that both have")
    if not outside:
        return f"alike: all {len(known)} statistics are within the noise of A"
    return f"different: {len(outside)} of {len(known)} statistics are beyond the noise of A"


def save(page: Path, found: Mapping[str, Any], files: tuple[Path, Path], verdict: str, *, overwrite: bool) -> None:
    """The page."""
    from microgen.report import render_comparison

    text = render_comparison(found, names=tuple(path.name for path in files), verdict=verdict)
    with atomic_path(page, overwrite) as part:
        part.write_text(text, encoding="utf-8")


def finish(
    found: Mapping[str, Any],
    reporter: Reporter,
    files: tuple[Path, Path],
    written: list[Path],
    *,
    verdict: str,
    json: bool,
) -> None:
    """stdout: one JSON object, or the verdict."""
    if not json:
        print(verdict)
        return
    statistics = {name: value | {"inside": found[name].inside} for name, value in statistics_object(found).items()}
    result = result_object("compare", reporter, written, a=files[0], b=files[1])
    print(dumps(result | {"verdict": verdict, "statistics": statistics}))
