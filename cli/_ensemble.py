"""`--samples N`: the members of an ensemble in numbered files, made in parallel, resumable, with one summary table."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import microgen
from microgen import Microstructure
from microgen.errors import InvalidParameter, NotConverged
from microgen.io.atomic import atomic_path, check_writable
from microgen.report import Member, ensemble_summary

from ._job import Job, Run
from ._laws import Scan, prepare
from ._machine import workers
from ._outputs import Outputs, tagged
from ._progress import Reporter
from ._result import FIGURES, finish, result_object
from ._save import document, save, save_report

FEW = 12
"""Members up to which each has its line in the closing table."""

Made = tuple[Microstructure, Mapping[str, Any]]
"""A sample with its statistics."""


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


def run(job: Job, scan: Scan | None) -> int:
    """Make the members that are missing; those that miss the tolerance are kept and told of at the end."""
    wanted = members(job)
    pending = [k for k, outputs in wanted.items() if not (job.common.resume and outputs.done(job.identity(k)))]
    if len(pending) < len(wanted):
        job.reporter.say(f"{len(wanted) - len(pending)} of {len(wanted)} members are there already")
    made: list[Made] = []
    missed = None
    try:
        if pending:
            _make(job, scan, wanted, pending=pending, made=made)
    except NotConverged as error:
        missed = error
    finally:  # also after Ctrl-C: what is done is kept and summed up
        rows = write_summary(job, wanted)
    page = _page(job, scan, made, rows)
    _close(job, rows)
    paths = [path for outputs in wanted.values() for path in outputs]
    fields: dict[str, Any] = {"seed": job.common.seed, "device": job.device, "samples": len(wanted)}
    fields |= {"members": rows, "summary": summary_path(job)}
    finish(
        result_object("polycrystal", job.reporter, [*paths, summary_path(job), *page], **fields), json=job.common.json
    )
    if missed is not None:
        raise missed
    return 0


def _make(job: Job, scan: Scan | None, wanted: dict[int, Outputs], *, pending: Sequence[int], made: list[Made]) -> None:
    """Make and write the pending members; the first one is left in `made` for the page."""
    laws, grid = prepare(job, scan)
    quiet = replace(job, reporter=Reporter(quiet=True))
    processes = workers(grid, laws.grains, len(pending))
    title = f"making {len(pending)} sample{'s' * (len(pending) > 1)} with {processes} process{'es' * (processes > 1)}"
    with job.reporter.stage(title, "solve") as progress:
        samples = laws.samples(
            grid, job.request.samples, seed=job.common.seed, workers=processes, members=[k - 1 for k in pending]
        )
        for done, (k, sample) in enumerate(zip(pending, samples), 1):
            statistics = microgen.compare_sections(sample, scan.target, seed=job.common.seed) if scan else {}
            sample = document(sample, job, scan=scan, statistics=statistics, member=k)
            save(sample, wanted[k], quiet)
            if not made:
                made.append((sample, statistics))
            progress(done / len(pending), f"member {k} is written")


def _page(job: Job, scan: Scan | None, made: list[Made], rows: list[dict[str, Any]]) -> list[Path]:
    """The page shows the first member that was made, and sums up all."""
    if not made:
        return [job.outputs.report] if job.outputs.report and job.outputs.report.exists() else []
    sample, statistics = made[0]
    return save_report(sample, job, scan=scan, statistics=statistics, members=[_member(row) for row in rows])


def _member(row: dict[str, Any]) -> Member:
    files = tuple(Path(path).name for path in row["outputs"])
    return Member(row["member"], row["seed"], files, achieved=row)


def _close(job: Job, rows: list[dict[str, Any]]) -> None:
    """The summary on stderr; of many members only the mean over all."""
    table = ensemble_summary([_member(row) for row in rows])
    shown = [row[:-1] for row in table.rows]
    job.reporter.say()
    job.reporter.table(table.columns[:-1], shown if len(rows) <= FEW else shown[-1:])
    job.reporter.say()


def write_summary(job: Job, wanted: dict[int, Outputs]) -> list[dict[str, Any]]:
    """One row a finished member, from what its files say; returns the rows."""
    rows = [_row(k, outputs) for k, outputs in wanted.items() if all(path.exists() for path in outputs.sidecars)]
    if not rows:
        return []
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in ("outputs", "statistics")))
    with atomic_path(summary_path(job), True) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _row(member: int, outputs: Outputs) -> dict[str, Any]:
    made = json.loads(outputs.sidecars[0].read_text(encoding="utf-8"))
    figures = made["achieved"]
    row = {"member": member, "seed": made["seed"], "status": figures.get("status")}
    row |= {name: figures.get(name) for name in FIGURES}
    statistics = figures.get("statistics", {})
    for name, statistic in statistics.items():
        row |= {name: statistic["achieved"], f"{name}_distance": statistic["distance"]}
    return row | {"file": outputs.files[0].name, "outputs": [str(path) for path in outputs], "statistics": statistics}
