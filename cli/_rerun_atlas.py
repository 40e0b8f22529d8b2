"""`microgen rerun atlas.csv`: all draws of an atlas again, and whether its table comes out the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import microgen
from microgen import Atlas, CurvaturePrior
from microgen.errors import InvalidParameter, MicrogenError, TargetNotMet, UnreadableFile
from microgen.io.atlas_table import MARK, TEXTS
from microgen.provenance import tool_version
from microgen.report import require_umap

from . import atlas
from ._flags import Common, Talk
from ._machine import check_memory, workers
from ._outputs import HTML, tagged
from ._progress import Reporter
from ._result import finish, result_object
from ._texture_preview import memory_need

TIMES = ("seconds",)
"""Columns that differ from run to run."""


def table_of(file: Path) -> Path | None:
    """The table of an atlas, from itself, or from its provenance or page beside it; None for other files."""
    path = file.with_suffix("") if file.suffix == ".json" else file
    path = path.with_suffix(".csv") if path.suffix.lower() in HTML else path
    try:
        with path.open("rb") as table:
            return path if table.read(len(MARK)) == MARK.encode() else None
    except OSError:
        return None


def rerun(file: Path, table: Path, *, out: tuple[Path, ...], talk: Talk) -> int:
    """Make the draws of an atlas again: by default as NAME_rerun.csv, of a page with its page."""
    reporter, before = Reporter(quiet=talk.quiet), microgen.read_atlas(table)
    default = (table, file) if file.suffix.lower() in HTML else (table,)
    files = atlas.plan(out or tuple(tagged(path, "_rerun") for path in default))
    draws, prior, seed = drawn(before.settings, table)
    version = before.settings.get("version")
    if version != tool_version():
        reporter.warn(f"made by version {version}, this is {tool_version()}: the arrays may differ")
    if files.page:
        require_umap()
    need = memory_need(draws.grid)
    check_memory(need)
    settings = atlas.settings_of(draws, prior, seed)
    atlas.prepare(files, settings, Common(overwrite=talk.overwrite))
    numbers = [int(k) for k in before.columns["sample"]]
    with atlas.documented(files, settings, seed):
        options: dict[str, Any] = {"eps": draws.eps, "prior": prior, "workers": workers(draws.grid, len(numbers), need)}
        if numbers:
            atlas.make(numbers, microgen.survey(draws.grid, numbers, seed=seed, **options), files, reporter)
    written, problem = atlas.page(files, reporter)
    same = identical(before, microgen.read_atlas(files.table))
    fields = {"seed": seed, "device": "cpu", "samples": len(numbers), "identical": same}
    finish(result_object("rerun", reporter, written, **fields), json=talk.json)
    if not same:
        raise TargetNotMet(f"the table differs from {table}: other version or machine?")
    if problem:
        raise problem
    reporter.say("identical, bit for bit")
    return 0


def drawn(settings: Mapping[str, Any], table: Path) -> tuple[atlas.Draws, CurvaturePrior, int]:
    """What was drawn, from the first line of a table. Raises UnreadableFile."""
    try:
        shape, dx, eps, seed = (settings[name] for name in ("shape", "dx", "eps", "seed"))
        prior = CurvaturePrior(**settings["prior"])
        draws = atlas.Draws(shape=tuple(shape), dx=float(dx), eps=float(eps))
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise InvalidParameter("seed", expected="an integer", got=seed)
        microgen.survey(draws.grid, [1], seed=seed, eps=draws.eps)  # refuses what cannot be made
    except (KeyError, TypeError, MicrogenError) as error:
        raise UnreadableFile(table, f"its first line does not say how to make it again ({error})", line=1) from None
    return draws, prior, seed


def identical(before: Atlas, after: Atlas) -> bool:
    """Whether all columns agree but for the times."""
    names = [name for name in before.columns if name not in TIMES]
    return all(np.array_equal(before.columns[name], after.columns[name], equal_nan=name not in TEXTS) for name in names)
