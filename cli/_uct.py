"""`microgen curvatubes --uct FILE`: a texture whose samples cannot be told from a µCT volume, as far as that goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import microgen
from microgen import Curvatubes, Grid, Microstructure
from microgen.errors import UnreadableFile
from microgen.io.printing import Print
from microgen.provenance import sha256

from . import _understood
from ._fit import fit_object, searched, trials_path
from ._job import Run
from ._json import dumps
from ._machine import available_memory
from ._preview import toml, written
from ._progress import Reporter
from ._request import axes_of
from ._result import closing, grid_object, statistics_object
from ._texture import TextureRequest
from ._texture_preview import ensemble_flags, given_options, grid_line, memory_line, memory_need
from ._volume import VolumeFlags, read_volume

if TYPE_CHECKING:  # it brings torch along
    from microgen import Target


@dataclass(frozen=True, eq=False)
class Fitted:
    """A volume, and the texture that was fitted to it."""

    path: Path
    volume: Microstructure
    target: Target
    result: Any

    @property
    def block(self) -> tuple[int, ...]:
        """Voxels of the volume that are compared at a time."""
        return self.target.window

    @property
    def notes(self) -> tuple[str, ...]:
        """What to keep in mind of the volume."""
        return self.target.caveats

    def comparison(self, sample: Microstructure, job: Run) -> dict[str, Any]:
        """Sample against volume, told of; of a sample smaller than a block nothing can be said."""
        if any(n < b for n, b in zip(sample.grid.shape, self.block)):
            text = f"the sample is smaller than {' x '.join(map(str, self.block))} voxels, which are compared at a time"
            job.reporter.warn(f"{text}: its statistics are not compared with those of the volume")
            return {}
        with job.reporter.stage("comparing with the volume", "compare"):
            found = microgen.compare(sample, self.target, seed=job.common.seed)
        closing(found, job.reporter, measured="volume", what="blocks of the volume show among themselves")
        outside = [name for name, s in found.items() if s.in_objective and not s.inside]
        if outside:
            job.reporter.warn(
                f"outside the noise of the volume: {', '.join(outside)}. "
                "This model cannot represent that material in these, or the fit was too short (--fit full)."
            )
        return found

    def verdict(self, comparison: Mapping[str, Any]) -> None:
        """A material that this model cannot represent is a finding, not a failure of the run."""

    def configuration(self, request: TextureRequest) -> dict[str, Any]:
        """What provenance says of the fit."""
        return {"uct": str(self.path), "fit": request.fit}

    def figures(self, comparison: Mapping[str, Any]) -> dict[str, Any]:
        """What it came to."""
        return {"fit": fit_object(self.result), "comparison": statistics_object(comparison)}


def understand(request: TextureRequest, flags: VolumeFlags, reporter: Reporter) -> Microstructure:
    """Read the volume, and say what was understood before anything is made of it."""
    assert request.uct is not None
    volume = read_volume(request.uct, flags, spacing=request.spacing)
    for line in lines(request.uct, volume):
        reporter.say(line)
    return volume


def lines(path: Path, volume: Microstructure) -> list[str]:
    """A volume for a reader."""
    grid = volume.grid
    voxels, box = " x ".join(map(str, grid.shape)), " x ".join(f"{x / 1000:.4g}" for x in grid.lengths)
    size = " x ".join(dict.fromkeys(f"{h:.4g}" for h in grid.spacing))
    solid = float((volume.phase_id >= 0).mean())
    return [
        f"volume    {path}",
        f"grid      {voxels} voxels of {size} µm ({box} mm)",
        f"solid     {solid:.1%}",
        *(f"note      {note}" for note in volume.notes),
    ]


def measured(volume: Microstructure, job: Run) -> Any:
    """The statistics of the volume, and what to keep in mind of them."""
    with job.reporter.stage("measuring the volume", "measure"):
        target = microgen.Target.from_volume(volume)
    for note in target.notes:
        job.reporter.say(f"note      {note}")
    for note in target.caveats:
        job.reporter.warn(note)
    return target


def fit(request: TextureRequest, volume: Microstructure, target: Any, *, job: Run, base: Curvatubes) -> Fitted:
    """Fit the texture; each trial is written down as it is made."""
    assert request.uct is not None
    path = trials_path(request.trials, request.name, job)
    given = {name: getattr(request, name) for name in ("mass", "dx") if getattr(request, name) is not None}
    how: dict[str, Any] = {"free": request.free or None, "fixed": given}
    result = searched(base, target, job, budget=request.fit, path=path, **how)
    return Fitted(request.uct, volume, target, result)


def files(request: TextureRequest) -> dict[str, str]:
    """Path -> sha256 of the volume."""
    if request.uct is None:
        return {}
    if not request.uct.exists():
        raise UnreadableFile(request.uct, "does not exist", remedy="Check the spelling and the working folder.")
    return {str(request.uct): sha256_of(request.uct)}


def preview(request: TextureRequest, job: Run, volume: Microstructure, *, grid: Grid, printed: Print) -> int:
    """`--dry-run`: what would be fitted, the files that are named, and what would be written; nothing is made."""
    assert request.uct is not None
    need, free = memory_need(grid), available_memory()
    facts, _ = _understood.region(request, grid, fits=free is None or need <= free)
    facts |= _understood.clip(printed, grid)
    trials = trials_path(request.trials, request.name, job)
    if job.common.json:
        fitted = {"uct": request.uct, "fit": request.fit, "seed": job.common.seed, "outputs": list(job.outputs)}
        fitted |= {"grid": grid_object(grid), "memory_bytes": need, "understood": facts, "trials": trials}
        print(dumps({"command": "curvatubes", "dry_run": True, **fitted}))
        return 0
    shown = [*lines(request.uct, volume), grid_line(grid), memory_line(need, free), *_understood.lines(facts)]
    shown += [*(f"output    {path}" for path in job.outputs), f"trials    {trials}"]
    print("\n".join(f"# {line}" for line in shown))
    flags: dict[str, Any] = {"seed": job.common.seed, "out": [str(path) for path in job.outputs.files]}
    flags |= {"report": job.outputs.report, "shape": list(grid.shape), **ensemble_flags(job)}
    flags |= {name: written(value) for name, value in job.given.items() if not name.startswith(("print.", "size-"))}
    print(toml(flags | {"print": given_options(printed)}))
    return 0


def sha256_of(path: Path) -> str:
    """Of a file; of a folder, of its names and files."""
    if not path.is_dir():
        return sha256(path)
    import hashlib

    digest = hashlib.sha256()
    for file in sorted(p for p in path.iterdir() if p.is_file()):
        digest.update(f"{file.name} {sha256(file)}\n".encode())
    return digest.hexdigest()


def grid_of(request: TextureRequest, volume: Microstructure, block: tuple[int, ...]) -> Grid:
    """Voxels as large as the volume's; as many as were asked for, or as one block of the comparison has."""
    spacing = volume.grid.spacing
    shape = request.shape or block
    if request.size_mm:
        sizes = request.size_mm * 3 if len(request.size_mm) == 1 else request.size_mm
        shape = tuple(max(1, round(1000 * s / h)) for s, h in zip(sizes, spacing))
    return Grid(tuple(shape), spacing, periodic=axes_of(request.periodic, 3))


def base_of(request: TextureRequest) -> Curvatubes:
    """What is not fitted: eps at least as wide as asked for, and mass and dx where they are given."""
    given = {name: getattr(request, name) for name in ("mass", "dx", "eps") if getattr(request, name) is not None}
    return replace(Curvatubes(), **given)
