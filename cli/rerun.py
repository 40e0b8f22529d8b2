"""`microgen rerun FILE`: the same arrays again, bit for bit, from what the file says about how it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

import microgen
from microgen import Curvatubes, Grid, Microstructure, Polycrystal, Provenance
from microgen.errors import MicrogenError, NotConverged, TargetNotMet, UnreadableFile
from microgen.io import printing
from microgen.io.printing import Print
from microgen.provenance import sha256, tool_version

from . import _mesh_again, _reconstruct_again, _region, _rerun_atlas
from ._flags import Talk
from ._machine import check_memory, memory_need
from ._outputs import Outputs, check_sample_fits, check_suffix, format_for, others_of, tagged
from ._progress import Reporter
from ._request import demand
from ._result import achieved, finish, result_object, sample_fields
from ._sites import read_placed, rebuilt
from ._solid import is_printed
from ._texture_preview import memory_need as texture_need
from .convert import resized, taken
from .curvatubes import sample_fields as texture_fields, tell_status


def rerun(
    file: Path,
    *,
    out: tuple[Path, ...] = (),
    format: str | None = None,
    talk: Talk = Talk(),  # noqa: B008 - frozen
) -> int:
    """Make a result again from its provenance, and compare it with the file where that still exists.

    Parameters
    ----------
    file
        A file made by microgen, or its NAME.EXT.json; the table or page of an atlas.
    out
        Output file; the suffix picks the format. Without any: beside the file, named NAME_rerun.EXT.
    format
        Settles a suffix with two meanings.
    """
    table = _rerun_atlas.table_of(file)
    if table is not None:
        demand(format is None, "--format", "nothing: an atlas is .csv and .html", format)
        return _rerun_atlas.rerun(file, table, out=out, talk=talk)
    reporter = Reporter(quiet=talk.quiet)
    made = microgen.read_provenance(file)
    original = file.with_suffix("") if file.suffix == ".json" else file
    paths = out or (tagged(original, "_rerun"),)
    if made.command == "mesh" or {"reconstruct", "interpolate"} & set(made.configuration):
        return _from_its_source(made, original, paths, format=format, talk=talk)
    for path in paths:
        check_suffix(path, format)
    Outputs(paths, beside=tuple(others := others_of(paths, format))).check(overwrite=talk.overwrite)
    warn_of_changes(made, original, reporter)
    with reporter.stage("making the sample again", "solve") as progress:
        sample = again(made, original, progress)
    tell_status(sample, reporter)
    for step in _conversions(made.configuration):
        sample = _stepped(sample, step)
    sample = replace(sample, provenance=replace(made, achieved={**made.achieved, **achieved(sample)}))
    check_sample_fits(sample, paths, format)
    with reporter.stage("writing", "write"):
        for path in paths:
            _write(sample, path, format=format, overwrite=talk.overwrite)
    same = identical(sample, original)
    lost = same is False and bool(_conversions(made.configuration)) and _same_grains(sample, original)
    fields = {"seed": made.seed, "device": made.device, **_fields(sample), "identical": None if lost else same}
    finish(result_object("rerun", reporter, [*paths, *others], **fields), json=talk.json)
    reporter.say(_verdict(same, original, lost=lost))
    return 0


def _verdict(same: bool | None, original: Path, *, lost: bool) -> str:
    """In words; raises TargetNotMet where the arrays differ."""
    if lost:
        return f"grains are identical; {original} was converted, and a format on the way lost the rest"
    if same is False:
        raise TargetNotMet(f"the arrays differ from those in {original}: other version, device or input?")
    return "identical, bit for bit" if same else f"{original} holds no labels to compare with"


def _from_its_source(
    made: Provenance, original: Path, paths: tuple[Path, ...], *, format: str | None, talk: Talk
) -> int:
    """What is made of files: surfaces and tetrahedra of a volume, the diagram of a map, the way between two samples."""
    if made.command == "mesh":
        source = found(Path(str(made.configuration.get("source"))), made, original)
        return _mesh_again.rerun(made, source, original, paths, talk)
    if "interpolate" in made.configuration:
        from . import _interpolate_again  # which reads its ends with this module

        return _interpolate_again.rerun(made, original, paths, format=format, find=found, talk=talk)
    return _reconstruct_again.rerun(made, original, paths, format=format, find=found, talk=talk)


def _write(sample: Microstructure, path: Path, *, format: str | None, overwrite: bool) -> None:
    options = sample.provenance.configuration.get("print") if sample.provenance else None
    if options is None or not is_printed(path):
        microgen.write(sample, path, format=format_for(path, format), overwrite=overwrite)
        return
    printing.write_solid(printing.make_solid(sample, Print(**options)), sample, path, overwrite=overwrite)


def again(made: Provenance, original: Path, progress: Any) -> Microstructure:
    """The sample that a provenance describes."""
    configuration = made.configuration
    steps = _conversions(configuration)
    if "grid" not in configuration and steps and "file" in steps[0]:
        return taken(found(Path(steps[0]["file"]), made, original), {"format": None, "labels": False, **steps[0]})
    if "grid" not in configuration:
        raise UnreadableFile(original, f"its provenance ({made.command}) does not say how to make it again")
    grid = _grid(configuration["grid"], original)
    if "sites" in configuration:
        table, _ = read_placed(found(Path(configuration["sites"]), made, original))
        return _kept(lambda: rebuilt(table, grid, made, tolerance=configuration.get("tolerance", 0.01)))
    if "coefficients" in configuration:
        texture = _texture(configuration, original)
        check_memory(texture_need(grid))
        device, options = Curvatubes.device(made.device), _region.again(made, original, grid, find=found)
        return _kept(lambda: texture.sample(grid, seed=made.seed or 0, device=device, progress=progress, **options))
    laws = _laws(configuration, original)
    check_memory(memory_need(grid, laws.grains))
    options = _region.again(made, original, grid, find=found) if configuration.get("mask") else {}
    options.pop("start", None)
    return _kept(lambda: laws.sample(grid, seed=made.seed or 0, device=made.device, progress=progress, **options))


def _stepped(sample: Microstructure, step: Mapping[str, Any]) -> Microstructure:
    """The sample after one such step."""
    if "section" in step:
        return sample.section(*step["section"])
    return sample.crop(*map(tuple, step["crop"])) if "crop" in step else resized(sample, tuple(step["spacing_um"]))


def _conversions(configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What `microgen convert`, `section` and `crop` did to the sample, oldest first."""
    steps = configuration.get("converted", [])
    known = [s for s in steps if isinstance(s, dict) and {"file", "section", "crop"} & set(s)]
    return [{**step, "spacing_um": list(step.get("spacing_um", []))} for step in known]


def _kept(sample: Callable[[], Microstructure]) -> Microstructure:
    try:
        return sample()
    except NotConverged as error:  # what was kept the first time is what must come again
        if error.best is None:
            raise
        return cast(Microstructure, error.best)


def _fields(sample: Microstructure) -> dict[str, Any]:
    return sample_fields(sample) if sample.level_set is None else texture_fields(sample)


def found(path: Path, made: Provenance, original: Path) -> Path:
    """An input where it was, or beside the file; with the bytes it had."""
    for place in (path, original.parent / path, original.parent / path.name):
        if place.exists():
            if sha256(place) != made.inputs.get(str(path)):
                raise UnreadableFile(place, "has changed since", remedy="Bring back the file the result was made from.")
            return place
    raise UnreadableFile(path, "is needed to make the result again and is not there")


def warn_of_changes(made: Provenance, original: Path, reporter: Reporter) -> None:
    """Another version, or a scan that changed: the laws are in the provenance, but the reader should know."""
    if made.version != tool_version():
        reporter.warn(f"made by version {made.version}, this is {tool_version()}: the arrays may differ")
    for path in made.inputs:
        try:
            found(Path(path), made, original)
        except UnreadableFile as error:
            if not {"coefficients", "mask"} & set(made.configuration):  # textures depend on starts, all on masks
                reporter.warn(f"{error} The result does not depend on it: its laws are kept in the provenance.")


def identical(sample: Microstructure, original: Path) -> bool | None:
    """Whether the labels are those of the file; None when it is gone or holds none."""
    try:
        before = microgen.read(original)
    except MicrogenError:
        return None
    if before.level_set is not None and sample.level_set is not None:
        return bool(np.array_equal(before.level_set, sample.level_set))
    if sample.level_set is not None:
        return bool(np.array_equal(before.phase_id, sample.phase_id))
    if before.grey is not None and sample.grey is not None:
        return bool(np.array_equal(before.grey, sample.grey))
    if before.grain_id is None or sample.grain_id is None:
        return None
    same = np.array_equal(before.grain_id, sample.grain_id) and np.array_equal(before.phase_id, sample.phase_id)
    return bool(same) and _same_orientations(before, sample)


def _same_grains(sample: Microstructure, original: Path) -> bool:
    """Whether grain numbers are those of the file, which `identical` could read."""
    before = microgen.read(original)
    return (
        before.grain_id is not None and sample.grain_id is not None and np.array_equal(before.grain_id, sample.grain_id)
    )


def _same_orientations(before: Microstructure, sample: Microstructure) -> bool:
    """Whether all points are oriented as they were, to what files keep (seven digits); True where one says nothing."""
    if any(ms.orientation is None and ms.grains is None for ms in (before, sample)):
        return True
    for k in range(sample.grid.shape[0]):  # a layer at a time: all points of 512³ would take gigabytes
        a, b, there = _layer(before, k), _layer(sample, k), sample.phase_id[k] >= 0
        apart = np.minimum(np.abs(a - b).max(axis=-1), np.abs(a + b).max(axis=-1))
        if (apart[there] > 1e-5).any():
            return False
    return True


def _layer(ms: Microstructure, k: int) -> np.ndarray:
    """Orientations of the points at index k along x."""
    if ms.orientation is not None:
        return ms.orientation[k]
    assert ms.grains is not None
    assert ms.grain_id is not None
    return np.vstack([[1.0, 0.0, 0.0, 0.0], ms.grains.orientation])[ms.grain_id[k]]


def _grid(data: Mapping[str, Any], original: Path) -> Grid:
    try:
        return Grid(**{name: tuple(value) for name, value in data.items()})
    except TypeError as error:
        raise UnreadableFile(original, f"its provenance holds no grid ({error})") from None


def _texture(configuration: Mapping[str, Any], original: Path) -> Curvatubes:
    try:
        return Curvatubes.from_configuration(configuration)
    except (TypeError, KeyError, AttributeError) as error:
        raise UnreadableFile(original, f"its provenance holds no texture ({error})") from None


def _laws(configuration: Mapping[str, Any], original: Path) -> Polycrystal:
    try:
        return Polycrystal.from_configuration(configuration)
    except (TypeError, KeyError, AttributeError) as error:
        raise UnreadableFile(original, f"its provenance holds no polycrystal ({error})") from None
