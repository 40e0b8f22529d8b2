"""`--dry-run`: the resolved run and its memory need, as TOML that `--config` takes, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from microgen import Grid, Polycrystal

from . import _published
from ._job import Job
from ._json import dumps, plain
from ._laws import Scan, box, override
from ._machine import available_memory, memory_need, stream_need
from ._result import grid_line, grid_object
from ._units import bytes_text

SECTION_TO_SPHERE = 1.27
"""Mean diameter of spheres over that of their sections, 4/π: near enough to say how large a run will be."""


def preview(job: Job, scan: Scan | None) -> int:
    """Print the run on stdout and stop; nothing of the sample is allocated."""
    laws, grid = _resolved(job, scan)
    need, free = (stream_need if job.request.streams else memory_need)(grid, laws.grains), available_memory()
    text = f"memory    about {bytes_text(need)}" + (f" of {bytes_text(free)} free" if free else "")
    if job.common.json:
        print(dumps(_object(job, laws, grid) | {"memory_bytes": need}))
        return 0
    later = scan is not None or job.request.numbers is not None
    lines = [grid_line(grid, laws.grains) + (" (about: the fit comes later)" if later else ""), text]
    lines += [f"output    {path}" for path in job.outputs]
    print("\n".join(f"# {line}" for line in lines))
    print(toml(_flags(job, laws, grid, fitted=later)))
    return 0


def _resolved(job: Job, scan: Scan | None) -> tuple[Polycrystal, Grid]:
    laws = job.flags
    if scan is not None:
        grains = scan.first.segmented.grains
        assert grains is not None
        section: float | None = float(np.mean(np.sqrt(4 / np.pi * grains.volume)))
    else:
        section = _published.diameter(job.request) if job.request.numbers else None
    if section is not None:
        start = replace(laws, size=replace(laws.size, mean=SECTION_TO_SPHERE * section))
        laws = override(start, job.flags, job.given)
    laws, grid = box(laws, job.request, job.given)
    laws.check(grid, seed=job.common.seed)
    return laws, grid


def _object(job: Job, laws: Polycrystal, grid: Grid) -> dict[str, Any]:
    return {
        "command": "polycrystal",
        "dry_run": True,
        "seed": job.common.seed,
        "device": job.device,
        "grains": laws.grains,
        "grid": grid_object(grid),
        "configuration": laws.configuration(),
        "outputs": list(job.outputs),
    }


def _flags(job: Job, laws: Polycrystal, grid: Grid, *, fitted: bool) -> dict[str, Any]:
    """The run as flags; with a scan only what was given, as the scan decides the rest."""
    request = job.request
    flags: dict[str, Any] = {"seed": job.common.seed, "out": [str(path) for path in job.outputs.files]}
    if fitted:
        source = {"numbers": str(request.numbers)} if request.numbers else {"ebsd": list(request.ebsd)}
        flags |= {**source, "fit": request.fit, "periodic": request.periodic}
        flags |= {"threshold": request.threshold, "min_pixels": request.min_pixels}
        return flags | {name: written(value) for name, value in job.given.items()}
    flags |= {"shape": list(grid.shape), "spacing": list(grid.spacing), "periodic": request.periodic}
    flags |= {"mask": request.mask, "mask-diameter": request.mask_diameter} if request.mask else {}
    configuration = laws.configuration()
    configuration["texture"] = {"kind": laws.texture.kind, "kernel": f"{laws.texture.kernel!r}rad"}
    return flags | configuration


def written(value: Any) -> Any:
    """What was typed, as numbers where it is numbers."""
    if isinstance(value, list):
        return [written(item) for item in value]
    try:
        number = json.loads(value)
    except ValueError:
        return value
    return number if isinstance(number, int | float) else value


def toml(flags: Mapping[str, Any], prefix: str = "") -> str:
    """Nested flags as TOML; empty and missing values are left out."""
    plain_ones = {k: v for k, v in flags.items() if not isinstance(v, Mapping) and v not in (None, [], ())}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain_ones.items()]
    for key, value in flags.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{prefix}{key}]", toml(value, f"{prefix}{key}.")]
    return "\n".join(lines)


def _key(key: str) -> str:
    return ".".join(key.split("."))


def _value(value: Any) -> str:
    """JSON and TOML agree on numbers, strings, booleans and lists; a table in a list is written inline."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items() if v not in (None, [], ())) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(plain(str(value) if isinstance(value, Path) else value), ensure_ascii=False)
