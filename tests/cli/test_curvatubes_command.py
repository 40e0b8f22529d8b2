"""`microgen curvatubes`: presets, size, outputs, JSON, surfaces to print, ensembles, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from microgen_cli.main import main

from microgen import Curvatubes, Grid, Microstructure, Phase, read, read_provenance, write
from microgen.core.flow import Schedule, flow
from microgen.io.stl import read_mesh, write_mesh
from microgen.meshing import TriangleMesh, is_watertight, volume

SMALL = ["--preset", "tubes", "--shape", "20", "20", "20"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small texture in all formats."""
    folder = tmp_path_factory.mktemp("texture")
    names = ("a.tif", "a.vti", "a.npy", "a.stl", "a.3mf")
    outs = [f"--out={folder / name}" for name in names]
    assert main(["curvatubes", *SMALL, "--seed", "2", "--quiet", *outs, f"--report={folder / 'a.html'}"]) == 0
    ball = Microstructure(Grid((20,) * 3, (18.0,) * 3), np.where(BALL, 0, -1), phases=(Phase("solid"),))
    write(ball, folder / "ball.stl")
    return folder


def test_all_formats_hold_the_same_sample(made: Path) -> None:
    u = np.load(made / "a.npy")
    assert (u.dtype, u.shape) == (np.float32, (20, 20, 20))
    assert np.array_equal(read(made / "a.vti").level_set, u)
    phases = read(made / "a.tif")
    assert np.array_equal(phases.phase_id >= 0, u > 0)
    assert phases.grid.spacing == (20.0, 20.0, 20.0)
    made_by = read_provenance(made / "a.3mf")
    assert (made_by.command, made_by.seed, made_by.configuration["mass"]) == ("curvatubes", 2, -0.6)


def test_the_surface_is_closed_and_has_the_volume_of_the_largest_part(made: Path) -> None:
    mesh, told = read_mesh(made / "a.stl"), read_provenance(made / "a.stl").achieved["print"]
    assert is_watertight(mesh)
    voxels = float((np.load(made / "a.npy") > 0).sum()) * 0.02**3
    assert volume(mesh) == pytest.approx(voxels - told["volume_removed_mm3"], rel=0.01)


def test_the_page_is_whole_and_fetches_nothing(made: Path) -> None:
    text = (made / "a.html").read_text(encoding="utf-8")
    assert "Synthetic texture: tubes" in text
    for words in ("Curvature diagram", "Thickness", "Energy", "The solid to print", "structure model index"):
        assert words in text
    assert 'src="http' not in text


def test_rerun_gives_the_same_bits_and_the_same_surface(made: Path, microgen) -> None:
    assert microgen("rerun", made / "a.vti", "--out", "b.vti", "--out", "b.stl").code == 0
    assert np.array_equal(read(Path("b.vti")).level_set, np.load(made / "a.npy"))
    assert Path("b.stl").read_bytes() == (made / "a.stl").read_bytes()


def test_json_has_the_fields_of_the_contract(microgen) -> None:
    flags = ["--print.clip", "cylinder", "--print.scale", 2, "--print.printer", "sla"]
    done = microgen("curvatubes", *SMALL, *flags, "--out", "a.stl", "--json")
    assert done.code == 0
    result = done.json
    assert {"command", "version", "seed", "device", "seconds", "outputs", "grid"} <= set(result)
    assert {"mass_error", "energy", "iterations", "statistics"} <= set(result)
    assert {"mean", "sd", "n"} == set(result["statistics"]["thickness"])
    assert result["grid"] == {"shape": [20] * 3, "spacing_um": [20.0] * 3, "periodic": [True] * 3}
    assert 0.7 < max(result["print"]["bbox_mm"]) <= 0.8 + 1e-6, "0.4 mm doubled, less void at the ends"
    assert "% of the walls are below the 0.5 mm that sla prints" in done.err


def test_an_ensemble_has_numbered_files_and_a_table_and_goes_on(microgen) -> None:
    run = ["curvatubes", "--preset", "tubes", "--shape", 20, 20, "--samples", 2, "--out", "a.tif"]
    assert microgen(*run).code == 0
    assert len(Path("a_samples.csv").read_text().splitlines()) == 3
    first = Path("a_0001.tif").read_bytes()
    os.unlink("a_0002.tif")
    assert microgen(*run, "--resume").code == 0
    assert Path("a_0001.tif").read_bytes() == first
    assert not np.array_equal(read(Path("a_0001.tif")).phase_id, read(Path("a_0002.tif")).phase_id)


def test_resume_keeps_a_finished_run_and_refuses_another(microgen) -> None:
    run = ["curvatubes", "--preset", "tubes", "--shape", 20, 20, "--out", "a.tif"]
    assert microgen(*run).code == 0
    before = Path("a.tif").stat().st_mtime_ns
    assert microgen(*run, "--resume").code == 0
    assert microgen(*run, "--resume", "--seed", 1).code == 3
    assert Path("a.tif").stat().st_mtime_ns == before


def test_an_interrupted_flow_goes_on_to_the_same_bits(made: Path, microgen, monkeypatch) -> None:
    from microgen_cli import _checkpoint

    kept = []

    def keep_one(state: object) -> None:
        _checkpoint.write_checkpoint(state, "a.npy.state.npz", identity=kept[0])
        if state.step >= 100:
            raise KeyboardInterrupt

    run = ["curvatubes", *SMALL, "--seed", 2, "--out", "a.npy"]
    monkeypatch.setattr(_checkpoint, "keeper", lambda job: kept.append(job.identity()) or keep_one)
    assert microgen(*run).code == 130
    assert os.listdir() == ["a.npy.state.npz"]
    monkeypatch.setattr(_checkpoint, "keeper", lambda job: lambda state: None)
    assert microgen(*run, "--resume", "--mass", -0.5).code == 3
    done = microgen(*run, "--resume")
    assert "going on from a.npy.state.npz, step 1" in done.err
    assert np.array_equal(np.load("a.npy"), np.load(made / "a.npy"))
    assert not Path("a.npy.state.npz").exists()


def test_dry_run_makes_nothing_and_its_toml_means_the_same(microgen) -> None:
    flags = ["--preset", "sponge", "--size-mm", 0.5, "--spacing", "20um", "--mass", -0.3, "--print.clip", "sphere"]
    dry = microgen("curvatubes", *flags, "--dry-run")
    assert dry.code == 0
    assert "25 x 25 x 25 voxels of 20 µm (0.5 x 0.5 x 0.5 mm)" in dry.out
    assert os.listdir() == []
    Path("run.toml").write_text(dry.out)
    again = microgen("curvatubes", "--config", "run.toml", "--dry-run")
    one, other = ([x for x in run.out.splitlines() if "free" not in x] for run in (dry, again))  # of memory, just now
    assert one == other


def test_presets_are_listed(microgen) -> None:
    done = microgen("curvatubes", "--preset")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == list(Curvatubes.presets())
    wrong = microgen("curvatubes", "--preset", "spong")
    assert wrong.code == 2
    assert "bicontinuous" in wrong.err


def test_the_bare_command_writes_useful_files(microgen) -> None:
    out = microgen("curvatubes", "--preset", "sponge", "--dry-run", "--json").json["outputs"]
    assert out == ["sponge.tif", "sponge.vti", "sponge.stl", "sponge_report.html"]


NUMBERS = "coefficients = [1, 2, 6, -40, -40, 400]"
GRADED = {
    "good": 'axes = ["x"]\n[[set]]\npreset = "tubes"\n[[set]]\npreset = "sponge"\nmass = -0.5\n',
    "numbers": 'axes = ["z"]\n[[set]]\npreset = "tubes"\n[[set]]\n' + NUMBERS + "\nmass = -0.5\n",
    "three": 'axes = ["x"]\n[[set]]\npreset = "tubes"\n',
    "typo": 'axes = ["x"]\n[[set]]\npreset = "tubes"\n[[set]]\npreset = "sponge"\nmas = -0.5\n',
    "text": 'axes = ["x"]\n[[set]]\npreset = "tubes"\n[[set]]\ncoefficients = "many"\nmass = -0.5\n',
    "toml": "axes = [",
    "few": 'axes = ["x"]\n[[set]]\npreset = "tubes"\n[[set]]\ncoefficients = [1, 2]\nmass = -0.5\n',
    "nested": 'axes = [["x"]]\n[[set]]\npreset = "tubes"\n[[set]]\npreset = "sponge"\n',
    "twice": 'axes = ["x", "x"]\n' + 4 * '[[set]]\npreset = "tubes"\n',
    "axis": 'axis = ["y"]\n[[set]]\npreset = "tubes"\n[[set]]\npreset = "sponge"\n',
    "unknown": 'axes = ["x"]\n[[set]]\npreset = "tubes"\n[[set]]\npreset = "spong"\n',
    "mass": 'axes = ["x"]\n[[set]]\npreset = "tubes"\n[[set]]\npreset = "sponge"\nmass = 2\n',
    "numbers for sets": 'axes = ["x"]\nset = [1, 2]\n',
}


@pytest.mark.parametrize(
    ("name", "code", "word"),
    [
        ("good", 0, ""),
        ("numbers", 0, ""),
        ("three", 4, "two sets"),
        ("typo", 4, "set 2 has mas"),
        ("text", 2, "set 2: coefficients"),
        ("toml", 4, "not TOML"),
        ("few", 2, "set 2: coefficients"),
        ("nested", 4, "one axis"),
        ("twice", 4, "two axes"),
        ("axis", 4, "one axis"),
        ("unknown", 2, "set 2: --preset"),
        ("mass", 2, "set 2: mass"),
        ("numbers for sets", 4, "set 1 has 1"),
    ],
)
def test_graded_files(name: str, code: int, word: str, microgen) -> None:
    Path("g.toml").write_text(GRADED[name])
    done = microgen("curvatubes", "--graded", "g.toml", "--dry-run", "--json")
    assert done.code == code
    assert word in done.err
    if code == 0:
        assert done.json["configuration"]["graded"]["mass"] == [-0.6, -0.5]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ([], "--preset"),
        (["--coefficients", 1, 2, 3], "six"),
        (["--coefficients", 1, 2, 6, -40, -40, 400], "--mass"),
        (["--preset", "tubes", "--mass", 1], "mass"),
        (["--preset", "tubes", "--eps", 0.001], "eps"),
        (["--preset", "tubes", "--shape", 9, 9, 9], "eps"),
        (["--preset", "tubes", "--shape", 20, 20, 20, "--spacing", 20, "--size-mm", 5], "0.4 x 0.4 x 0.4"),
        (["--preset", "tubes", "--size-mm", "5deg"], "--size-mm"),
        (["--preset", "tubes", "--size-mm", 5, "--spacing", -1], "--spacing"),
        (["--preset", "tubes", "--periodic", "q"], "--periodic"),
        (["--preset", "tubes", "--seed", -1], "seed"),
        (["--preset", "tubes", "--shape", 40, 40, "--out", "b.stl"], "b.stl"),
        (["--preset", "tubes", "--print.clip", "cube"], "clip"),
        (["--preset", "tubes", "--print.diameter", "2mm"], "diameter"),
        (["--preset", "tubes", "--graded", "g.toml"], "--graded"),
        (["--preset", "tubes", "--mass", "nan"], "mass"),
        (["--preset", "tubes", "--eps", 0.0149], "smaller dx"),
        (["--preset", "tubes", "--eps", 0.11], "at least 110 x 110 x 110 voxels"),
        (["--preset", "tubes", "--shape", 40, 40, 19], "at least 20 x 20 x 20 voxels"),
        (["--preset", "tubes", "--spacing", 10, 10, 30], "nearer to cubes"),
        (["--coefficients", -1, 2, 6, 0, 0, 1, "--mass", -0.5], "Raise both"),
        (["--coefficients", 1, 2, 6, 0, 0, "nan", "--mass", -0.5], "coefficients.c"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_impossible_parameters_are_2_and_named(flags, word, microgen) -> None:
    done = microgen("curvatubes", *flags, "--out", "a.tif")
    assert done.code == 2
    assert word in done.err
    assert os.listdir() == []


def test_a_surface_that_is_not_there_is_5_and_the_rest_is_kept(microgen) -> None:
    flags = ["--preset", "tubes", "--mass", -0.995, "--shape", 20, 20, 20]
    done = microgen("curvatubes", *flags, "--out", "a.tif", "--out", "a.stl", "--json")
    assert done.code == 5
    assert json.loads(done.out)["outputs"] == ["a.tif"]
    assert not Path("a.stl").exists()
    assert not (read(Path("a.tif")).phase_id >= 0).any()


@pytest.mark.parametrize("members", [[], ["--samples", 2]])
def test_a_flow_that_was_stopped_is_told_of_everywhere(members, microgen, monkeypatch) -> None:
    monkeypatch.setitem(flow.__kwdefaults__, "schedule", Schedule(least=40, most=50, decay=20))
    flags = ["--preset", "sponge", "--mass", -0.1, "--shape", 40, 40, "--out", "a.vti", "--json", "--quiet"]
    done = microgen("curvatubes", *flags, *members)
    assert done.code == 0
    assert "still moving" in done.err
    assert [row["status"] for row in done.json.get("members", [done.json])] == ["capped"] * (len(members) or 1)
    first = "a_0001.vti" if members else "a.vti"
    assert "still moving" in microgen("rerun", first).err
    assert read_provenance(Path(first)).achieved["status"] == "capped"


def test_a_flow_that_explodes_is_5_and_the_last_good_state_is_kept(microgen, monkeypatch) -> None:
    monkeypatch.setitem(flow.__kwdefaults__, "schedule", Schedule(rms=1e12))
    done = microgen("curvatubes", *SMALL, "--out", "a.vti", "--json")
    assert done.code == 5
    assert "no number" in done.err
    assert "larger eps" in done.err
    assert np.isfinite(read(Path("a.vti")).level_set).all()
    assert read_provenance(Path("a.vti")).achieved["status"] == done.json["status"] == "diverged"


def test_a_published_set_that_only_the_blur_holds_is_made_and_said_to_be(microgen) -> None:
    done = microgen("curvatubes", "--preset", "exp-0868", "--shape", 24, 24, 24, "--out", "a.vti")
    assert done.code == 0
    assert "below zero" in done.err
    assert read_provenance(Path("a.vti")).achieved["bounded_below"] is False
    assert "below zero" not in microgen("curvatubes", *SMALL, "--mass", -0.4, "--out", "b.vti").err


@pytest.mark.parametrize("members", [[], ["--samples", 2]])
def test_a_texture_that_never_forms_is_5_and_kept(members, microgen) -> None:
    done = microgen("curvatubes", *SMALL, "--mass", -0.99, *members, "--out", "a.vti", "--json")
    assert done.code == 5
    first = "a_0001.vti" if members else "a.vti"
    assert read_provenance(Path(first)).achieved["status"] == "no_texture"
    assert read(Path(first)).level_set.mean() == pytest.approx(-0.99, abs=1e-4)
    assert microgen("rerun", first, "--json").json["identical"] is True


def test_a_gpu_that_is_not_there_is_3(microgen) -> None:
    done = microgen("curvatubes", *SMALL, "--device", "cuda", "--out", "a.vti")
    assert done.code == 3
    assert "--device cpu" in done.err
    assert os.listdir() == []


def test_describe_knows_the_mask_of_a_file(microgen) -> None:
    flags = ["--mass", -0.3, "--mask", "sphere", "--out", "m.vti", "--json"]
    made = microgen("curvatubes", *SMALL, *flags).json["statistics"]
    found = microgen("describe", "m.vti", "--json").json["statistics"]
    assert found["volume_fraction"] == pytest.approx(made["volume_fraction"])
    assert set(found) == set(made)


def test_memory_is_asked_for_before_anything_is_made(microgen) -> None:
    done = microgen("curvatubes", "--preset", "tubes", "--shape", 30000, 30000, 30000, "--out", "a.tif")
    assert done.code == 3
    assert "memory" in done.err
    assert os.listdir() == []


BALL = np.linalg.norm(np.indices((20, 20, 20)) - 9.5, axis=0) < 9


@pytest.mark.parametrize(
    "flags",
    [
        ["--mask", "cylinder"],
        ["--mask", "sphere", "--mask-diameter", "300um", "--start", "spheres"],
        ["--mask", "outline.stl"],
        ["--mask", "ball.npy", "--start", "start.vti"],
        ["--mask", "coarse.tif"],
    ],
    ids=" ".join,
)
def test_masks_and_starts_by_name_and_by_file_come_again(flags, microgen, made: Path) -> None:
    Path("outline.stl").write_bytes((made / "ball.stl").read_bytes())
    Path("start.vti").write_bytes((made / "a.vti").read_bytes())
    np.save("ball.npy", BALL.astype(np.int32))
    coarse = Grid((10, 10, 10), (40.0,) * 3)
    write(Microstructure(coarse, np.where(BALL[::2, ::2, ::2], 0, -1), phases=(Phase("solid"),)), "coarse.tif")
    preset = ["--preset", "tubes", "--mass", -0.3, "--shape", 20, 20, 20, "--seed", 2]
    done = microgen("curvatubes", *preset, *flags, "--out", "m.vti", "--json")
    assert done.code == 0
    u = read(Path("m.vti")).level_set
    assert (u > 0).any()
    assert not (u > 0)[:2, :2].any()
    assert done.json["mass_error"] < 1e-6
    assert done.json["volume_fraction"] == pytest.approx(done.json["statistics"]["volume_fraction"])
    assert "left out" in done.err
    assert microgen("rerun", "m.vti", "--out", "again.vti", "--json").json["identical"] is True


def test_a_mask_that_changed_since_is_no_rerun(microgen) -> None:
    np.save("ball.npy", BALL.astype(np.int32))
    run = ["curvatubes", *SMALL, "--mass", -0.3, "--mask", "ball.npy", "--out", "m.npy"]
    assert microgen(*run).code == 0
    np.save("ball.npy", np.roll(BALL, 1, 0).astype(np.int32))
    done = microgen("rerun", "m.npy")
    assert done.code == 4
    assert "has changed" in done.err
    assert microgen(*run, "--resume").code == 3


@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        (["--mask", "cube"], 4, "cylinder, sphere"),
        (["--mask", "gone.stl"], 4, "gone.stl"),
        (["--mask", "open.stl"], 2, "closed surface"),
        (["--mask", "large.stl"], 2, "outline within the sample"),
        (["--mask", "text.npy"], 4, "text.npy"),
        (["--mask", "empty.npy"], 2, "empty"),
        (["--mask", "thin.npy"], 2, "at least 0.08 wide"),
        (["--mask", "other.npy"], 2, "20 x 20 x 20 voxels"),
        (["--mask", "plane.npy"], 2, "20 x 20 x 20 voxels"),
        (["--mask", "cylinder", "--mask-diameter", "1mm"], 2, "0.4 mm"),
        (["--mask-diameter", "1mm"], 2, "--mask-diameter"),
        (["--mask", "thin.npy", "--mask-diameter", "0.1mm"], 2, "cylinder or sphere"),
        (["--start", "balls"], 4, "noise, spheres, tubes"),
        (["--start", "empty.npy"], 2, "all alike"),
        (["--start", "other.npy"], 2, "20 x 20 x 20 voxels"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_bad_masks_and_starts_are_named_before_anything_is_made(flags, code, word, microgen, made: Path) -> None:
    np.save("empty.npy", np.zeros((20, 20, 20), np.int32))
    np.save("thin.npy", (np.indices((20, 20, 20))[0] // 3 == 2).astype(np.int32))
    np.save("other.npy", np.ones((20, 20, 24), np.int32))
    np.save("plane.npy", np.ones((20, 20), np.int32))
    Path("text.npy").write_text("no numbers")
    ball = read_mesh(made / "ball.stl")
    write_mesh(TriangleMesh(ball.points * 3, ball.triangles), "large.stl")
    write_mesh(TriangleMesh(ball.points, ball.triangles[1:]), "open.stl")
    before = set(os.listdir())
    for dry in ([], ["--dry-run"]):
        done = microgen("curvatubes", *SMALL, *flags, "--out", "m.tif", *dry)
        assert (done.code, done.out) == (code, "")
        assert word in done.err
        assert set(os.listdir()) == before


def test_a_dry_run_says_what_it_understood_of_the_files(made: Path, microgen) -> None:
    Path("g.toml").write_text(GRADED["good"])
    files = ["--mask", made / "ball.stl", "--start", made / "a.tif", "--print.clip", made / "ball.stl"]
    flags = ["--graded", "g.toml", "--shape", 20, 20, 20, *files, "--dry-run"]
    told = microgen("curvatubes", *flags, "--json").json["understood"]
    assert told["mask"]["inside"] == pytest.approx(BALL.mean(), abs=0.12)
    assert told["start"]["shape"] == [20, 20, 20]
    assert [each["mass"] for each in told["graded"]["sets"]] == [-0.6, -0.5]
    assert told["print.clip"]["size_mm"] == pytest.approx([0.325] * 3, abs=0.01)
    lines = microgen("curvatubes", *flags).out
    assert "ball.stl: a surface of 1508 triangles, 0.3247 x 0.3247 x 0.3247 mm" in lines
    assert "set       at the end of x: coefficients 1 2.8 2 -10 -10 25, mass -0.5" in lines


def test_a_dry_run_beyond_memory_still_reads_the_files(microgen, monkeypatch) -> None:
    monkeypatch.setattr("microgen_cli._texture_preview.available_memory", lambda: 10**6)
    np.save("m.npy", BALL.astype(np.int32))
    done = microgen("curvatubes", *SMALL, "--mask", "m.npy", "--dry-run")
    assert done.code == 0
    assert "MiB of 977 KiB free: not enough" in done.out
    assert "not put onto the sample's voxels" in done.out
    assert microgen("curvatubes", *SMALL, "--mask", "n.npy", "--dry-run").code == 4


@pytest.mark.parametrize(
    ("clip", "code", "word"),
    [("none.stl", 4, "none.stl"), ("text.stl", 4, "no whole STL"), ("large.stl", 2, "within the sample")],
)
def test_a_bad_outline_for_the_print_is_refused_before_anything_is_made(clip, code, word, microgen, made) -> None:
    Path("text.stl").write_text("no surface")
    ball = read_mesh(made / "ball.stl")
    write_mesh(TriangleMesh(ball.points * 3, ball.triangles), "large.stl")
    for dry in ([], ["--dry-run"]):
        done = microgen("curvatubes", *SMALL, "--print.clip", clip, "--out", "a.stl", *dry)
        assert (done.code, done.out) == (code, "")
        assert word in done.err
        assert "making" not in done.err


def test_an_outline_that_goes_missing_while_the_sample_is_made_costs_the_surface_only(microgen, made) -> None:
    from microgen_cli import _solid

    keep = _solid.printing.check
    Path("b.stl").write_bytes((made / "ball.stl").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_solid.printing, "check", lambda *args: (keep(*args), os.unlink("b.stl")))
        done = microgen("curvatubes", *SMALL, "--print.clip", "b.stl", "--out", "a.npy", "--out", "a.stl")
    assert done.code == 4
    assert done.out.split() == ["a.npy"]


def test_a_plane_has_a_disc_for_a_mask_and_no_outline(microgen, made: Path) -> None:
    run = ["curvatubes", "--preset", "sponge", "--shape", 40, 40, "--out", "m.vti"]
    assert microgen(*run, "--mask", "sphere").code == 0
    assert not (read(Path("m.vti")).phase_id[:4, :4] >= 0).any()
    assert microgen(*run, "--mask", made / "ball.stl", "--overwrite").code == 2
