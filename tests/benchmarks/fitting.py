"""The proof of the fits: recovery, held-out statistics, one half against the other, fresh seeds, and chance as a rival.

    python tests/benchmarks/fitting.py laws --targets 10           # polycrystals of known laws, seen through sections
    python tests/benchmarks/fitting.py textures --cases tubes      # published fields, judged by fresh samples
    python tests/benchmarks/fitting.py scans                       # left half fitted, right half tested; held out
    python tests/benchmarks/fitting.py volumes --budget 24         # measured volumes: every statistic of fresh samples
    python tests/benchmarks/fitting.py chance --cases tubes bone --seeds 1   # Bayesian against random search

All parts append rows to fitting.jsonl (--rows names another file) and skip those that are there, so that a long run can
be stopped and gone on with. Measured data are read from MICROGEN_TEST_DATA (see tests/conftest.py). What is tuned on is
the Ni scan and the bone volume; all others are tests.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from microgen import (
    AspectRatioLaw,
    Curvatubes,
    Grid,
    Microstructure,
    Phase,
    Polycrystal,
    SizeLaw,
    Target,
    compare,
    fit,
    read,
    resolve_box,
    segment_grains,
    threshold,
)
from microgen.errors import NotConverged
from microgen.fitting.polycrystal_fit import PolycrystalProblem, floors
from microgen.fitting.quick import corrected_laws
from microgen.fitting.texture_fit import texture_problem

SCANS = (
    "ebsdlib_Out_Of_Order.ang",
    "orixdata_sdss_ferrite_austenite.ang",
    "mtex_twins.ctf",
    "mtextools_MEA_60CR_1C.ctf",
)
VOLUMES: dict[str, tuple[str, float, float | None]] = {
    "bone": ("uct/lhdl_3155_D_4_bc", 19.5, 63),
    "shrew": ("uct/boneJ_Shrew.nrrd", 4.1, None),
    "fiberform": ("uct/puma_100_fiberform.tif", 1.3, 89.5),
    "ketton": ("uct/mosser_ketton.zip", 3.0, None),
}
LIMIT = np.radians(5), 10


def data() -> Path:
    """Folder of measured scans and volumes."""
    return Path(os.environ.get("MICROGEN_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")


def laws(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Known laws, at least 1000 grains of sections: each identifiable parameter within 10 %, the aspect within 0.15."""

    def one(k: int) -> dict[str, Any]:
        rng = np.random.default_rng(k)
        cv, aspect = float(rng.uniform(0.2, 0.45)), float(rng.uniform(1.0, 2.2))
        true = Polycrystal(2500, size=SizeLaw(cv=cv, mean=10.0), aspect_ratio=AspectRatioLaw(aspect, 0.1))
        grid, _, _ = resolve_box(2500, None, None, 10.0, size_law=true.size)
        sample = true.sample(grid, seed=k)
        maps: list[Microstructure] = []
        for height in np.linspace(0, grid.shape[2], 9, endpoint=False).astype(int):
            plane = sample.section(2, int(height))
            maps.append(segment_grains(replace(plane, orientation=plane.point_orientation), min_pixels=10))
        target = Target.from_scan(maps, *LIMIT)
        budget: Any = options.budget if options.budget > 0 else "quick"
        law = fit(Polycrystal(), target, seed=0, budget=budget).generator
        found = {"mean": law.size.resolved_mean, "cv": np.sqrt(law.size.relative_moment(2) - 1)}
        found["aspect"] = law.aspect_ratio.mean
        good = abs(found["mean"] / 10 - 1) < 0.1 and abs(found["cv"] / cv - 1) < 0.1
        return {"grains": target.interior, "true": [10.0, cv, aspect], "found": list(map(float, found.values()))} | {
            "sizes": bool(good),
            "aspect": bool(abs(found["aspect"] - aspect) < 0.15),
        }

    yield from ((f"laws {k} {options.budget}", lambda k=k: one(k)) for k in range(options.targets))


def textures(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Published fields: BV/TV within .01, S2 within .03, chords W1/mean within .10 on samples of fresh seeds."""

    def one(name: str) -> dict[str, Any]:
        target = published_target(name)
        found = fit(Curvatubes(), target, seed=0, budget=options.budget or 24)
        return {"budget": options.budget or 24, **judged(found, target), "seconds": found.seconds}

    yield from (
        (f"textures {name} {options.budget}", lambda n=name: one(n)) for name in options.cases or published_cases()
    )


def published_cases() -> dict[str, Any]:
    """Coefficients and figures of the published fields, by name."""
    return json.loads((data() / "curvatubes" / "cases.json").read_text())


def published_target(name: str) -> Any:
    """A published field as solid and void."""
    field = read(data() / "curvatubes" / f"{name}.nii.gz")
    u = np.asarray(field.level_set if field.level_set is not None else field.grey, float)
    quantised = published_cases()[name].get("quantised", name not in ("bilayers", "sponge", "tubes"))
    return Target.from_volume(solid_of(u + (0.005 if quantised else 0.0) > 0, 10.0))


def judged(found: Any, target: Any, seeds: int = 2) -> dict[str, Any]:
    """Statistics of fresh samples of a fit, against the target, and against its noise."""
    grid = Grid(tuple(max(n, 64) for n in target.window), target.grid.spacing, periodic=(True,) * 3)
    try:
        samples = [found.generator.sample(grid, seed=100 + k) for k in range(seeds)]
    except NotConverged as error:
        return {"value": found.value, "recovered": False, "outside": ["all"], "held_out_outside": [], "why": str(error)}
    s = compare(samples, target, seed=0)
    recovered = s["volume_fraction"].distance <= 0.01 and s["two_point_correlation"].distance <= 0.03
    outside = [name for name, x in s.items() if x.in_objective and not x.inside]
    return {
        "value": found.value,
        "seen": found.seen,
        "spread": found.spread,
        "recovered": bool(recovered and s["chord_length"].distance <= 0.10),
        "distances": {k: round(s[k].distance, 4) for k in ("volume_fraction", "two_point_correlation", "chord_length")},
        "outside": outside,
        "held_out_outside": [name for name, x in s.items() if not x.in_objective and not x.inside],
    }


def volumes(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Measured volumes: every statistic of the objective of fresh samples within p95."""

    def one(name: str) -> dict[str, Any]:
        target = volume_target(name)
        found = fit(Curvatubes(), target, seed=0, budget=options.budget or 24)
        return {"caveats": list(target.caveats), **judged(found, target), "seconds": found.seconds}

    yield from ((f"volumes {n} {options.budget}", lambda n=n: one(n)) for n in options.cases or VOLUMES)


def volume_target(name: str) -> Any:
    """A measured volume by its name in VOLUMES."""
    file, spacing, value = VOLUMES[name]
    ms = read(data() / file, format="imagej" if file.endswith(".tif") else None)
    ms = replace(ms, grid=Grid(ms.grid.shape, (spacing,) * 3))
    ms = ms if (ms.phase_id >= 0).any() else threshold(ms, "otsu" if value is None else value)
    return Target.from_volume(ms)


def scans(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Left half fitted: W1 of the diameters to the right half <= max(1.25 W1(left, right), p95); two baselines fail."""

    def one(name: str) -> dict[str, Any]:
        whole = read(data() / "ebsd" / name)
        cut = whole.grid.shape[0] // 2
        left, right = whole.crop((0, 0), (cut, whole.grid.shape[1])), whole.crop((cut, 0), whole.grid.shape)
        targets = [Target.from_scan(segment_grains(half), *LIMIT) for half in (left, right)]
        apart = compare(targets[1].maps[0], targets[0], seed=0)["equivalent_diameter"].distance
        law = fit(Polycrystal(), targets[0], seed=0).generator
        drawn = targets[0].diameters
        sectionless = SizeLaw(cv=drawn.cv, mean=drawn.mean)  # section diameters taken for those of grains
        rows: dict[str, Any] = {"left_right": apart, "grains": [t.interior for t in targets]}
        voronoi = Polycrystal(
            size=SizeLaw(cv=0.42, mean=law.size.resolved_mean), hard_core=0.0, texture=law.texture, phases=law.phases
        )  # fmt: skip - the spread of Poisson-Voronoi volumes, right count
        rivals = {"fit": law, "voronoi": voronoi, "sectionless": replace(law, size=sectionless)}
        for label, generator in rivals.items():
            grid, _, _ = resolve_box(1000, None, None, generator.size.resolved_mean, size_law=generator.size)
            sample = replace(generator, tolerance=0.05).sample(grid, seed=7)
            s = compare(sample, targets[1], seed=1)
            d = s["equivalent_diameter"]
            rows[label] = round(d.distance, 4)
            rows[f"{label}_passes"] = bool(d.distance <= max(1.25 * apart, d.noise_floor_p95))
        sample = replace(fit(Polycrystal(), whole_target(whole), seed=0).generator, tolerance=0.05)
        grid, _, _ = resolve_box(1000, None, None, sample.size.resolved_mean, size_law=sample.size)
        s = compare(sample.sample(grid, seed=11), whole_target(whole), seed=2)
        rows["outside"] = [n for n, x in s.items() if x.in_objective and not x.inside]
        rows["held_out_outside"] = [n for n, x in s.items() if not x.in_objective and not x.inside]
        return rows

    yield from ((f"scans {name}", lambda name=name: one(name)) for name in options.cases or SCANS)


def whole_target(scan: Microstructure) -> Any:
    """The whole map."""
    return Target.from_scan(segment_grains(scan), *LIMIT)


def chance(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Bayesian against random search: the same starts and number of samples; what both find counts on fresh seeds."""
    starts: dict[tuple[str, int], list[Any]] = {}

    def one(case: str, seed: int, search: str) -> dict[str, Any]:
        target: Any
        if case in VOLUMES or case in published_cases():
            generator, target = Curvatubes(), volume_target(case) if case in VOLUMES else published_target(case)
        else:
            generator, target = Polycrystal(), whole_target(read(data() / "ebsd" / case))
        log = Starts(starts.get((case, seed), []))
        found = fit(generator, target, seed=seed, budget=options.budget or 40, search=search, log=log)
        starts[case, seed] = [row for row in log.rows if row["stage"] == "start"]
        row = {"case": case, "seed": seed, "search": search, "value": found.value, "spread": found.spread}
        row |= {"seen": best_of(found), "start": start_of(found), "seconds": found.seconds}
        return row | {"again": again_of(found, problem_of(generator, target, seed))}

    for case in options.cases or SCANS[:1]:
        for seed in range(options.seeds):
            for search in ("gp", "random"):
                yield (
                    f"chance {case} {seed} {search} {options.budget}",
                    lambda c=case, s=seed, w=search: one(c, s, w),
                )


class Starts:
    """A log that knows the starts of another search, which are the same: they are made once."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = list(rows)

    def append(self, row: Any) -> None:
        self.rows.append(dict(row))


def problem_of(generator: Any, target: Any, seed: int) -> Any:
    """What the fit of a generator evaluates its samples by."""
    if isinstance(generator, Curvatubes):
        return texture_problem(generator, target, free=None, seed=seed)
    first = corrected_laws(target, seed=seed)
    return PolycrystalProblem(target, first.generator, first.fixed, floors(target))


def start_of(found: Any) -> float:
    """The best of the starts on the first seed."""
    return min(t.value for t in found.trials if t.stage == "start")


def best_of(found: Any) -> float:
    """Of the samples that the search asked for: the start is the same for both."""
    return min(t.value for t in found.trials if t.stage == "search")


def again_of(found: Any, problem: Any) -> float:
    """What the search alone came to: the best sample it asked for, made again on fresh seeds, the mean."""
    best = min((t for t in found.trials if t.stage == "search"), key=lambda t: t.value)
    return float(np.mean([problem.evaluate(best.parameters, seed=900 + k, stage="fresh").value for k in range(3)]))


def solid_of(full: np.ndarray, spacing: float) -> Microstructure:
    """A volume of solid and void."""
    phases = (Phase("solid"),)
    return Microstructure(Grid(full.shape, (spacing,) * 3), np.where(full, 0, -1).astype(np.int16), phases)


def summary(part: str, rows: list[dict[str, Any]]) -> str:
    """What the rows prove."""
    n = len(rows)
    if part == "laws":
        return f"{sum(r['sizes'] for r in rows)} of {n} sizes, {sum(r['aspect'] for r in rows)} of {n} aspect ratios"
    if part == "textures":
        return f"{sum(r['recovered'] for r in rows)} of {n} recovered"
    if part == "volumes":
        return f"{sum(not r['outside'] for r in rows)} of {n} with every statistic of the objective inside"
    if part == "scans":
        parts = [f"{sum(r[f'{k}_passes'] for r in rows)} of {n} {k}" for k in ("fit", "voronoi", "sectionless")]
        return f"pass the right half: {', '.join(parts)}; objective inside on {sum(not r['outside'] for r in rows)}"
    return "; ".join(f"{name}: {_paired(rows, name)}" for name in ("value", "again"))


def _paired(rows: list[dict[str, Any]], name: str) -> str:
    """Bayesian against random search, the same case and seed."""
    pairs: dict[Any, dict[str, float]] = {(r["case"], r["seed"]): {} for r in rows}
    for r in rows:
        if r.get(name) is not None:
            pairs[r["case"], r["seed"]][r["search"]] = r[name]
    both = np.array([[p["gp"], p["random"]] for p in pairs.values() if len(p) == 2]).reshape(-1, 2)
    differ = bool((both[:, 0] != both[:, 1]).any())
    test: Any = wilcoxon(both[:, 0], both[:, 1], alternative="less") if differ else None
    better, alike = int((both[:, 0] < both[:, 1]).sum()), int((both[:, 0] == both[:, 1]).sum())
    p = float("nan") if test is None else test.pvalue
    means = both.mean(0).round(3).tolist()
    return f"gp better in {better} of {len(both)} pairs, the same in {alike}, means {means}, p = {p:.3f}"


PARTS = {"laws": laws, "textures": textures, "scans": scans, "volumes": volumes, "chance": chance}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--targets", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, default=0, help="samples of a search; 0: the default of the part")
    parser.add_argument("--cases", nargs="*")
    parser.add_argument("--rows", type=Path, default=Path("fitting.jsonl"))
    options = parser.parse_args()
    known = [json.loads(line) for line in options.rows.read_text().splitlines()] if options.rows.exists() else []
    done = {row["name"]: row for row in known}
    rows = []
    for name, make in PARTS[options.part](options):
        if name not in done:
            began = time.perf_counter()
            done[name] = {"name": name, **make(), "wall": round(time.perf_counter() - began, 1)}
            with options.rows.open("a") as file:
                file.write(json.dumps(done[name]) + "\n")
        rows.append(done[name])
        print(json.dumps(done[name]), flush=True)
    print(f"{options.part}: {summary(options.part, rows)}")


if __name__ == "__main__":
    main()
