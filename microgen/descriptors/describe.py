"""`describe`: everything that can be said of a microstructure in numbers, under the names used everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from microgen.descriptors.anisotropy import degree_of_anisotropy
from microgen.descriptors.boundaries import boundary_misorientation, neighbours
from microgen.descriptors.correlation import two_point_correlation
from microgen.descriptors.curvature import curvature_diagram
from microgen.descriptors.curve import Curve
from microgen.descriptors.diffusivity import effective_diffusivity
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.euler import connectivity_density, euler_number
from microgen.descriptors.grains import aspect_ratio, equivalent_diameter, interior_grains
from microgen.descriptors.lineal_path import lineal_path, solid_chord_length
from microgen.descriptors.moments import grains_there
from microgen.descriptors.percolation import components, percolation
from microgen.descriptors.phases import phase_fraction
from microgen.descriptors.solid import has_surface, solid, volume_fraction, voxel_grid
from microgen.descriptors.structure_model_index import structure_model_index
from microgen.descriptors.surface import specific_surface
from microgen.descriptors.thickness import separation, thickness
from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure

Statistic = float | Distribution | Curve
Progress = Callable[[float, str], None]
_Steps = list[tuple[str, Callable[[], dict[str, Statistic]]]]


def describe(
    ms: Microstructure, *, phase: int | None = None, diffusivity: bool = False, progress: Progress | None = None
) -> dict[str, Statistic]:
    """All statistics of a microstructure by name: numbers, distributions and curves, in µm and its powers.

    Of grains (two or more, unless a `phase` is named): their number, diameters, aspect ratios, neighbours and, where
    orientations are known, boundary misorientation (radians); shares of the phases. Of everything else: the solid, as
    in `solid`, against the void. Values along an axis end in _x, _y, _z. `diffusivity` solves for the effective
    diffusivity of solid and void along each axis too, which takes longer than all the rest.

    Where only a part of a volume was measured (a texture made in a mask), what would take the rest for void is left
    out: `LEFT_OUT`.

    Raises InvalidParameter for a scan without grains, and when all or none of the points are solid.
    """
    steps = _of_grains(ms) if phase is None and has_grains(ms) else _of_solid(ms, phase, diffusivity)
    found: dict[str, Statistic] = {}
    for number, (title, step) in enumerate(steps):
        if progress is not None:
            progress(number / len(steps), title)
        found |= step()
    return found


def has_grains(ms: Microstructure) -> bool:
    """True when there are at least two grains, and no level set that they would only be pieces of."""
    return ms.level_set is None and ms.grain_id is not None and int(ms.grain_id.max(initial=0)) > 1


def _of_grains(ms: Microstructure) -> _Steps:
    def sizes() -> dict[str, Statistic]:
        inside = interior_grains(ms)
        return {
            "grains": float(grains_there(ms)),
            "interior_grains": float(inside.sum()),
            "equivalent_diameter": equivalent_diameter(ms),
            "aspect_ratio": aspect_ratio(ms),
        }

    def phases() -> dict[str, Statistic]:
        return {f"phase_fraction_{name}": share for name, share in phase_fraction(ms).items()}

    steps: _Steps = [
        ("sizes and shapes", sizes),
        ("neighbours", lambda: {"neighbours": neighbours(ms)}),
        ("phases", phases),
    ]
    if (ms.grains is not None or ms.orientation is not None) and ms.phases:
        steps.append(("boundaries", lambda: {"boundary_misorientation": boundary_misorientation(ms)}))
    return steps


def _of_solid(ms: Microstructure, phase: int | None, diffusivity: bool) -> _Steps:
    grid, full = voxel_grid(ms), solid(ms, phase=phase)
    if ms.orientation is not None and ms.grain_id is None and phase is None:
        raise InvalidParameter("ms", expected="grains", got="a scan without", remedy="Segment it first.")
    seen = full if ms.measured is None else full[ms.measured]
    if seen.all() or not seen.any():
        kind = "void" if not seen.any() else "solid"
        remedy = "Give a threshold or name a phase."
        raise InvalidParameter("ms", expected="solid and void", got=f"nothing but {kind}", remedy=remedy)
    del full, seen
    whole = ms.measured is None or bool(ms.measured.all())
    numbers = {name: call for name, call in _NUMBERS.items() if whole or name not in LEFT_OUT}
    steps: _Steps = [(name, partial(_one, name, call, ms, phase)) for name, call in numbers.items()]
    if not whole:
        return steps
    if grid.ndim == 3:
        steps.append(
            ("structure_model_index", partial(_one, "structure_model_index", structure_model_index, ms, phase))
        )
        if has_surface(ms, phase):
            steps.append(("curvature", partial(_curvature, ms)))
    steps += [("percolation", partial(_percolation, ms, phase)), ("chords", partial(_lines, ms, phase))]
    if diffusivity:
        steps.append(("effective diffusivity", partial(_diffusivity, ms, phase)))
    return steps


_NUMBERS: dict[str, Callable[..., Statistic]] = {
    "volume_fraction": volume_fraction,
    "specific_surface": specific_surface,
    "euler_number": euler_number,
    "connectivity_density": connectivity_density,
    "components": components,
    "thickness": thickness,
    "separation": separation,
    "degree_of_anisotropy": degree_of_anisotropy,
    "two_point_correlation": two_point_correlation,
}


LEFT_OUT = (
    *("connectivity_density", "degree_of_anisotropy", "two_point_correlation", "structure_model_index", "curvature"),
    *("percolation", "chord_length", "lineal_path", "effective_diffusivity"),
)
"""Statistics that `describe` gives of whole boxes only."""


def _one(name: str, call: Callable[..., Statistic], ms: Microstructure, phase: int | None) -> dict[str, Statistic]:
    return {name: call(ms, phase=phase)}


def _curvature(ms: Microstructure) -> dict[str, Statistic]:
    diagram = curvature_diagram(ms)
    return {name: diagram.distribution(name) for name in ("kappa_1", "kappa_2", "mean_curvature", "gauss_curvature")}


def _percolation(ms: Microstructure, phase: int | None) -> dict[str, Statistic]:
    shares = percolation(ms, phase=phase)
    return {f"percolation_{axis}": share for axis, share in zip("xyz", shares)}


def _lines(ms: Microstructure, phase: int | None) -> dict[str, Statistic]:
    found: dict[str, Statistic] = {}
    for k, axis in _axes(ms):
        found[f"chord_length_{axis}"] = solid_chord_length(ms, axis=k, phase=phase)
        found[f"lineal_path_{axis}"] = lineal_path(ms, axis=k, phase=phase)
    return found


def _diffusivity(ms: Microstructure, phase: int | None) -> dict[str, Statistic]:
    return {
        f"effective_diffusivity_{of}_{axis}": effective_diffusivity(ms, axis=k, of=of, phase=phase)
        for of in ("solid", "void")
        for k, axis in _axes(ms)
    }


def _axes(ms: Microstructure) -> Iterator[tuple[int, str]]:
    return zip(range(ms.grid.ndim), "xyz")
