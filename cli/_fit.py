"""A Bayesian fit of a command: its trials kept in a file, its progress and its findings told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import microgen
from microgen.io.trials import TrialsFile

from ._job import Run
from ._machine import cores
from ._progress import Reporter

if TYPE_CHECKING:  # it brings torch along
    from microgen import Target


def searched(
    generator: Any,
    target: Target,
    job: Run,
    *,
    budget: str,
    free: tuple[str, ...] | None = None,
    fixed: Mapping[str, float] | None = None,
    path: Path,
    intervals: bool = True,
) -> Any:
    """Fit, with every trial written down as it is made; --resume goes on from them."""
    options: dict[str, Any] = {
        "budget": int(budget) if budget.isdigit() else budget,
        "free": free and tuple(name.replace("-", "_") for name in free),
    }
    options |= {"fixed": fixed} if fixed else {}
    identity = {"fit": job.identity()}
    with (
        TrialsFile(path, identity, resume=job.common.resume, overwrite=job.common.overwrite) as log,
        job.reporter.stage("fitting", "fit") as progress,
    ):
        if log.rows:
            job.reporter.say(f"going on from {log.path}: {len(log.rows)} trials are there")
        result = microgen.fit(
            generator, target, seed=job.common.seed, log=log, workers=cores(), progress=progress, **options
        )
    tell_notes(result, target, job.reporter)
    tell(result, job.reporter, intervals=intervals)
    return result


def trials_path(named: Path | None, name: str, job: Run) -> Path:
    """Beside the first output, unless it is named."""
    if named is not None:
        return named
    first = job.outputs.files[0] if job.outputs.files else Path(f"{name}.tif")
    return first.with_name(f"{first.name.split('.')[0]}_trials.jsonl")


def tell_notes(result: Any, target: Target, reporter: Reporter) -> None:
    """What the fit left open; what there is to say of the target was said before."""
    for note in result.notes:
        if note not in target.notes:
            reporter.say(f"note      {note}")


def tell(result: Any, reporter: Reporter, *, intervals: bool = True) -> None:
    """What the fit found, on stderr."""
    from microgen.report.match_section import estimates_table

    status = {"inside": "every distance within the median noise floor", "budget": "budget spent"}[result.status]
    reporter.say(
        f"fit       {status}: distances are {result.value:.2f} ± {result.spread:.2f} of p95 on fresh seeds "
        f"({result.seen:.2f} in the search, {len(result.trials)} samples)"
    )
    if not intervals:
        return
    table = estimates_table(fit_object(result))
    reporter.table(table.columns, table.rows)
    if result.unidentified:
        reporter.say(f"not identifiable from these data: {', '.join(result.unidentified)}")


def fit_object(result: Any) -> dict[str, Any]:
    """The `fit` object of the JSON output."""
    names = ("status", "value", "spread", "seen", "seconds")
    estimates = {name: asdict(e) for name, e in result.estimates.items()}
    return {**{name: getattr(result, name) for name in names}, "samples": len(result.trials), "estimates": estimates}
