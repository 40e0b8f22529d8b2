"""`--samples N`: the members of an ensemble in numbered files, made in parallel, resumable, with one summary table."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgen import Microstructure
from microgen.errors import InvalidParameter, MicrogenError, NotConverged
from microgen.io.atomic import atomic_path, check_writable
from microgen.report import MOST_TILES, Member, tile

from . import _look
from ._job import Run
from ._outputs import Outputs, tagged
from ._result import finish, result_object

FEW = 12
"""Members up to which each has its line in the closing table."""

Made = tuple[Microstructure, Mapping[str, Any]]
"""A sample with its statistics."""
Rows = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Family:
    """What ensembles of one command do their own way."""

    command: str
    figures: Sequence[str]
    """Achieved figures in the summary."""
    begin: Callable[[list[int]], tuple[int, Iterator[Microstructure]]]
    """From members (from 0) to the number of processes and the samples, in order."""
    keep: Callable[[Microstructure, Outputs, int], Made]
    """Describe and write a member (number from 1)."""
    page: Callable[[Microstructure, Mapping[str, Any], Rows], list[Path]]
    """Write the page about the first member and all rows."""
    table: Callable[[Rows], tuple[Sequence[str], Sequence[Sequence[str]]]]
    """Columns and rows of the closing table."""
    verdict: Callable[[Rows], MicrogenError | None] = lambda _: None
    """What all members together miss, told of."""


def members(job: Run) -> dict[int, Outputs]:
    """Number (from 1) -> outputs of the members this run is to make."""
    if not job.outputs.files:
        raise InvalidParameter("--out", expected="an output for each member of the ensemble", got="none")
    number = job.samples
    chosen = [job.member] if job.member else range(1, number + 1)
    return {k: job.outputs.member(k, max(4, len(str(number)))) for k in chosen}


def summary_path(job: Run) -> Path:
    """rve.tif is summed up in rve_samples.csv."""
    return tagged(job.outputs.files[0], "_samples").with_suffix(".csv")


def check(job: Run) -> None:
    """Refuse before computing what could not be written afterwards."""
    for outputs in members(job).values():
        outputs.check(overwrite=job.replaces)
    # With --member many runs share the table, and each renews it.
    shared = [] if job.member else [summary_path(job)]
    page = [job.outputs.report] if job.outputs.report else []
    check_writable([*shared, *page], overwrite=job.replaces)


def run(job: Run, family: Family) -> int:
    """Make the members that are missing; those that miss what was asked are kept and told of at the end."""
    wanted = members(job)
    pending = [k for k, outputs in wanted.items() if not (job.common.resume and outputs.done(job.identity(k)))]
    if len(pending) < len(wanted):
        job.reporter.say(f"{len(wanted) - len(pending)} of {len(wanted)} members are there already")
    made: list[Made] = []
    tiles: dict[int, Any] = {}
    missed: MicrogenError | None = None
    try:
        if pending:
            _make(job, family, wanted, pending=pending, made=made, tiles=tiles)
    except NotConverged as error:
        missed = error
    finally:  # also after Ctrl-C: what is done is kept and summed up
        rows = write_summary(job, wanted, family.figures)
    page = _page(job, family, made, rows) + _look.contact(job, {k: o.files[0] for k, o in wanted.items()}, tiles)
    _close(job, family, rows)
    missed = missed or (None if job.member else family.verdict(rows))
    paths = [path for outputs in wanted.values() for path in outputs]
    fields: dict[str, Any] = {"seed": job.common.seed, "device": job.device, "samples": len(wanted)}
    fields |= {"members": rows, "summary": summary_path(job)}
    finish(
        result_object(family.command, job.reporter, [*paths, summary_path(job), *page], **fields),
        json=job.common.json,
    )
    if missed is not None:
        raise missed
    return 0


def _make(
    job: Run,
    family: Family,
    wanted: dict[int, Outputs],
    *,
    pending: list[int],
    made: list[Made],
    tiles: dict[int, Any],
) -> None:
    """Make and write the pending members; the first one is left in `made` for the page, and pictures in `tiles`."""
    processes, samples = family.begin([k - 1 for k in pending])
    title = f"making {len(pending)} sample{'s' * (len(pending) > 1)} with {processes} process{'es' * (processes > 1)}"
    with job.reporter.stage(title, "solve") as progress:
        # Samples first: zip asks them once more after the last, when they tell which members missed what was asked.
        for done, (sample, k) in enumerate(zip(samples, pending), 1):
            found = family.keep(sample, wanted[k], k)
            if not made:
                made.append(found)
            if job.preview and len(tiles) < MOST_TILES:
                tiles[k] = tile(found[0])
            progress(done / len(pending), f"member {k} is written")


def _page(job: Run, family: Family, made: list[Made], rows: list[dict[str, Any]]) -> list[Path]:
    """The page shows the first member that was made, and sums up all."""
    if not made:
        return [job.outputs.report] if job.outputs.report and job.outputs.report.exists() else []
    return family.page(*made[0], rows)


def member_of(row: dict[str, Any]) -> Member:
    """A row of the summary as the report wants it."""
    files = tuple(Path(path).name for path in row["outputs"])
    return Member(row["member"], row["seed"], files, achieved=row)


def _close(job: Run, family: Family, rows: list[dict[str, Any]]) -> None:
    """The summary on stderr; of many members only the mean over all."""
    if not rows:
        return
    columns, cells = family.table(rows)
    job.reporter.say()
    job.reporter.table(columns, cells if len(rows) <= FEW else cells[-1:])
    job.reporter.say()


def write_summary(job: Run, wanted: dict[int, Outputs], figures: Sequence[str]) -> list[dict[str, Any]]:
    """One row a finished member, from what its files say; returns the rows."""
    rows = [
        _row(k, outputs, figures) for k, outputs in wanted.items() if all(path.exists() for path in outputs.sidecars)
    ]
    if not rows:
        return []
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in ("outputs", "statistics")))
    with atomic_path(summary_path(job), True) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _row(member: int, outputs: Outputs, figures: Sequence[str]) -> dict[str, Any]:
    made = json.loads(outputs.sidecars[0].read_text(encoding="utf-8"))
    achieved = made["achieved"]
    row = {"member": member, "seed": made["seed"], "status": achieved.get("status")}
    row |= {name: achieved.get(name) for name in figures if name != "status"}
    statistics = achieved.get("statistics", {})
    for name, statistic in statistics.items():
        if not isinstance(statistic, dict):
            row[name] = statistic
        elif "mean" in statistic:
            row[name] = statistic["mean"]
        else:
            row |= {name: statistic["achieved"], f"{name}_distance": statistic["distance"]}
    return row | {"file": outputs.files[0].name, "outputs": [str(path) for path in outputs], "statistics": statistics}
