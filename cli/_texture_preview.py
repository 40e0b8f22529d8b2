"""`--dry-run` of `microgen curvatubes`: the resolved run and its memory need, as TOML for `--config` or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from microgen import Curvatubes, Grid
from microgen.io.printing import Print

from . import _understood
from ._job import Run
from ._json import dumps
from ._machine import LIBRARIES, available_memory
from ._preview import toml
from ._result import grid_object
from ._texture import TextureRequest
from ._units import bytes_text

BYTES_A_VOXEL = 150
"""The flow, then the statistics, then the surface; they do not add up, the largest counts."""


def memory_need(grid: Grid) -> int:
    """Bytes of a run, about, and the libraries themselves."""
    return LIBRARIES + grid.size * BYTES_A_VOXEL


def grid_line(grid: Grid) -> str:
    """The grid for a reader."""
    voxels, box = " x ".join(map(str, grid.shape)), " x ".join(f"{length / 1000:.4g}" for length in grid.lengths)
    steps = grid.spacing if len(set(grid.spacing)) > 1 else grid.spacing[:1]
    axes = "".join(axis for axis, wraps in zip("xyz", grid.periodic) if wraps)
    wraps = f"periodic along {axes}" if axes else "not periodic"
    return f"sample    {voxels} voxels of {' x '.join(f'{h:.4g}' for h in steps)} µm ({box} mm), {wraps}"


def preview(job: Run, request: TextureRequest, made: Curvatubes, *, grid: Grid, options: Print) -> int:
    """Read and check the files that are named, print the run on stdout and stop; nothing is made."""
    need, free = memory_need(grid), available_memory()
    facts, found = _understood.region(request, grid, fits=free is None or need <= free)
    made.check(grid, seed=job.common.seed, **found)
    facts |= _understood.sets(request, made) | _understood.clip(options, grid)
    if job.common.json:
        print(dumps(_object(job, made, grid) | {"memory_bytes": need, "understood": facts}))
        return 0
    lines = [grid_line(grid), memory_line(need, free), *_understood.lines(facts)]
    lines += [f"output    {path}" for path in job.outputs]
    print("\n".join(f"# {line}" for line in lines))
    print(toml(_flags(job, made, grid) | {"print": given_options(options)}))
    return 0


def ensemble_flags(job: Run) -> dict[str, Any]:
    """How many members, where there is an ensemble."""
    return {name: number for name, number in (("samples", job.samples), ("member", job.member)) if number}


def memory_line(need: int, free: int | None) -> str:
    """What is needed of what there is, and whether it is enough."""
    text = f"memory    about {bytes_text(need)}" + (f" of {bytes_text(free)} free" if free else "")
    return text + (": not enough" if free is not None and need > free else "")


def given_options(options: Print) -> dict[str, Any]:
    """Options that are not the usual ones."""
    return {name: value for name, value in asdict(options).items() if value != getattr(Print(), name)}


def _object(job: Run, made: Curvatubes, grid: Grid) -> dict[str, Any]:
    return {
        "command": "curvatubes",
        "dry_run": True,
        "seed": job.common.seed,
        "device": job.device,
        "grid": grid_object(grid),
        "configuration": made.configuration(),
        "outputs": list(job.outputs),
    }


def _flags(job: Run, made: Curvatubes, grid: Grid) -> dict[str, Any]:
    """The run as flags."""
    numbers = made.configuration()
    flags: dict[str, Any] = {"seed": job.common.seed, "out": [str(path) for path in job.outputs.files]}
    flags |= {"report": job.outputs.report, **{name: numbers[name] for name in ("dx", "eps")}}
    if "graded" in job.given:
        flags["graded"] = job.given["graded"]
    else:
        flags |= {"coefficients": list(numbers["coefficients"].values()), "mass": numbers["mass"]}
    flags |= {name: job.given[name] for name in ("mask", "mask-diameter", "start") if name in job.given}
    axes = "".join(axis for axis, wraps in zip("xyz", grid.periodic) if wraps) or "none"
    flags |= ensemble_flags(job)
    return flags | {"shape": list(grid.shape), "spacing": list(grid.spacing), "periodic": axes}
