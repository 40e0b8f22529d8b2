"""`microgen convert`: the same sample in other files, what is lost, and whence it came."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from microgen import read
from microgen.errors import MicrogenError

ROOT = Path(__file__).parents[2]
SAMPLES = ["a.tif", "a.vti", "a.nrrd", "a.nii", "a.nii.gz", "a.raw", "a.npz", "a.zarr"]


@pytest.fixture
def here(tmp_path: Path, sample_folder: Path) -> Path:
    """The sample in the working folder."""
    for path in sample_folder.iterdir():
        shutil.copy(path, tmp_path / path.name)
    return tmp_path


def labels_of(path: str | Path) -> np.ndarray:
    found = read(path).grain_id
    assert found is not None
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_there_and_back(microgen, here: Path, name: str) -> None:
    assert microgen("convert", "rve.vti", name).code == 0
    assert microgen("convert", name, "back.tif").code == 0
    before, after = read(here / "rve.tif"), read(here / "back.tif")
    assert (before.grid, before.phases) == (after.grid, after.phases)
    assert np.array_equal(before.grain_id, after.grain_id)  # type: ignore[arg-type]


def test_several_outputs_and_json(microgen, here: Path) -> None:
    done = microgen("convert", "rve.tif", "a.nrrd", "b.npz", "c.tif", "--format", "imagej", "--json")
    assert done.json["outputs"] == ["a.nrrd", "b.npz", "c.tif"]
    assert done.json["grid"] == {"shape": [24, 20, 16], "spacing_um": [0.5] * 3, "periodic": [True, True, False]}
    assert done.json["lost"] == {"a.nrrd": [], "b.npz": [], "c.tif": []}
    assert np.array_equal(labels_of("c.tif"), labels_of("rve.tif"))


def test_provenance_says_how_it_was_made_and_from_which_file(microgen, here: Path) -> None:
    microgen("convert", "rve.tif", "a.nrrd")
    microgen("convert", "a.nrrd", "b.nii")
    made, told = (json.loads(Path(name).read_text()) for name in ("rve.tif.json", "b.nii.json"))
    steps = told["configuration"].pop("converted")
    assert told == made
    hashes = [hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in ("rve.tif", "a.nrrd")]
    assert [(step["file"], step["sha256"]) for step in steps] == list(zip(["rve.tif", "a.nrrd"], hashes))


def test_what_is_lost_is_told_in_a_line(microgen, here: Path) -> None:
    microgen("rerun", "rve.tif", "--out", "whole.npz")
    done = microgen("convert", "whole.npz", "a.nrrd", "b.npy", "c.csv", "d.npz")
    lines = [line for line in done.err.splitlines() if "without" in line]
    assert lines == [
        "a.nrrd: without orientations of the grains, sites, metrics and weights of the grains, volumes of the grains",
        "b.npy: without the phase of each voxel, orientations of the grains, sites, metrics and weights of the grains, "
        "volumes of the grains, names, symmetries and lattices of the phases, the voxel size, which axes repeat",
        "c.csv: without grain labels, the phase of each voxel, names, symmetries and lattices of the phases, "
        "the voxel size",
    ]
    assert Path("c.csv").read_bytes() == Path("rve.csv").read_bytes()
    assert read("d.npz").grains is not None


def test_zarr_folders_are_replaced_and_made_again(microgen, here: Path) -> None:
    assert microgen("rerun", "rve.tif", "--out", "a.zarr").code == 0
    assert microgen("convert", "a.zarr", "b.zarr", "c.csv").code == 0
    assert Path("c.csv").read_bytes() == Path("rve.csv").read_bytes()
    assert microgen("convert", "a.zarr", "b.zarr").code == 3
    assert microgen("convert", "rve.tif", "b.zarr", "--overwrite").code == 0
    assert microgen("rerun", "b.zarr", "--json").json["identical"] is True
    assert read("b_rerun.zarr").grains is not None


def test_nothing_is_written_where_one_format_does_not_fit(microgen, here: Path) -> None:
    before = sorted(here.iterdir())
    scan = ROOT / "data" / "dual_phase.ang"
    for names, words in ((("a.npz", "b.inp"), "b.inp, of a volume"), (("a.npz", "b.spparks"), "need no grains")):
        done = microgen("convert", scan, *names)
        assert (done.code, words in done.err) == (2, True)
    assert sorted(here.iterdir()) == before


def test_dry_run_writes_nothing(microgen, here: Path) -> None:
    before = sorted(here.iterdir())
    done = microgen("convert", "rve.tif", "a.npy", "--dry-run")
    assert (done.code, done.out) == (0, "would write a.npy\n")
    assert "a.npy: without" in done.err
    told = microgen("convert", "rve.tif", "a.npy", "--dry-run", "--json").json
    assert (told["would_write"], told["outputs"]) == (["a.npy"], [])
    assert sorted(here.iterdir()) == before


def test_spacing_that_the_file_does_not_say(microgen, here: Path) -> None:
    np.save("labels.npy", np.arange(24, dtype=np.uint8).reshape(4, 3, 2))
    assert microgen("convert", "labels.npy", "a.nrrd", "--spacing", "500nm").code == 0
    assert read("a.nrrd").grid.spacing == (0.5,) * 3
    assert microgen("convert", "labels.npy", "b.vti", "--spacing", "1", "2um", "0.003mm").code == 0
    assert read("b.vti").grid.spacing == (1, 2, 3)


def test_grey_values_of_others_and_labels_of_others(microgen, tmp_path: Path) -> None:
    import nrrd

    values = np.random.default_rng(0).integers(0, 9, (5, 4, 3)).astype(np.uint16)
    nrrd.write("seg.nrrd", values, {"space directions": np.eye(3), "space units": ["um"] * 3})
    for name in ("a.nii", "a.vti", "a.tif", "a.npz", "a.raw"):
        assert microgen("convert", "seg.nrrd", name).code == 0
        assert np.array_equal(read(name).grey, values)  # type: ignore[arg-type]
    assert microgen("convert", "seg.nrrd", "b.vti", "--labels").code == 0
    assert np.array_equal(labels_of("b.vti"), values)


def test_bare_values_are_told_of_by_flags_and_taken_again_so(microgen, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 60000, (5, 4, 3)).astype(">u2")
    Path("bare.raw").write_bytes(values.tobytes(order="F"))
    flags = ("--raw-shape", 5, 4, 3, "--raw-type", ">u2", "--spacing", "2um")
    assert microgen("convert", *flags[:6], "bare.raw", "a.npz", *flags[6:]).code == 0
    assert np.array_equal(read("a.npz").grey, values)  # type: ignore[arg-type]
    assert microgen("rerun", "a.npz", "--out", "b.npz").code == 0
    assert np.array_equal(read("b.npz").grey, values)  # type: ignore[arg-type]
    short = microgen("convert", "bare.raw", "c.npz", "--raw-shape", 5, 4, 4, "--raw-type", ">u2")
    assert (short.code, Path("c.npz").exists()) == (4, False)
    both = microgen("convert", *flags[:4], "bare.raw", "c.npz", "--input-format", "raw")
    assert (both.code, Path("c.npz").exists()) == (2, False)


def test_a_scan_keeps_its_points(microgen) -> None:
    scan = ROOT / "data" / "dual_phase.ang"
    assert microgen("convert", scan, "a.npz", "b.vti", "--quiet").code == 0
    before, after = read(scan), read("a.npz")
    assert np.array_equal(before.orientation, after.orientation)  # type: ignore[arg-type]
    assert (before.grid, before.notes) == (after.grid, after.notes)
    done = microgen("convert", scan, "c.nrrd")
    assert done.code == 2
    assert ".vti or .npz" in done.err


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["rve.tif", "a.nrdd"], 2, "Did you mean .nrrd? Known: "),
        (["rve.tif", "a"], 2, "a name without a suffix"),
        (["rve.tif"], 2, "at least one output"),
        (["rve.tif", "a.nhdr"], 2, "none that can be written. Did you mean .nrrd?"),
        (["rve.tif", "a.vti", "--format", "imagej"], 2, "a format of one of the outputs"),
        (["rve.tif", "a.vti", "--format", "imagei"], 2, "one of"),
        (["rve.tif", "a.csv"], 2, "microgen rerun FILE --out NAME.csv"),
        (["rve.tif", "rve.vti"], 3, "--overwrite"),
        (["rve.tif", "none/a.vti"], 3, "does not exist"),
        (["rve.tif", "a.vti", "a.vti"], 2, "once"),
        (["rve.tif", "a.vti", "--spacing", "0"], 2, "above 0"),
        (["rve.tif", "a.vti", "--spacing", "1", "2"], 2, "1 or 3 lengths"),
        (["rve.csv", "a.vti"], 4, "polycrystal --sites rve.csv"),
        (["none.tif", "a.vti"], 4, "does not exist"),
        (["bad.tif", "a.vti"], 4, "is not whole"),
        (["plane.vti", "a.3mf"], 2, "volume"),
    ],
)
def test_what_cannot_be_done_is_told(microgen, here: Path, argv: list[str], code: int, words: str) -> None:
    Path("bad.tif").write_bytes(Path("rve.tif").read_bytes()[:-900])
    np.save("plane.npy", np.ones((5, 4), np.uint8))
    microgen("convert", "plane.npy", "plane.vti")
    before = {path: path.read_bytes() for path in here.iterdir()}
    done = microgen("convert", *argv)
    assert (done.code, words in done.err) == (code, True), done.err
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_a_full_disk_leaves_no_half_file(microgen, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from microgen.io import nrrd

    def full(ms: object, path: Path) -> None:
        path.write_bytes(b"NRRD")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nrrd, "write", full)
    before = sorted(here.iterdir())
    done = microgen("convert", "rve.tif", "a.nrrd")
    assert (done.code, "No space left" in done.err) == (3, True)
    assert sorted(here.iterdir()) == before


def test_a_converted_sample_is_made_again(microgen, here: Path) -> None:
    microgen("convert", "rve.tif", "a.nrrd", "--spacing", "2um")
    done = microgen("rerun", "a.nrrd", "--json")
    assert (done.code, done.json["identical"]) == (0, True)
    assert read("a_rerun.nrrd").grid == read("a.nrrd").grid


def test_a_converted_volume_of_others_is_converted_again_while_it_is_unchanged(microgen, tmp_path: Path) -> None:
    np.save("labels.npy", np.arange(24, dtype=np.uint8).reshape(4, 3, 2))
    microgen("convert", "labels.npy", "a.nrrd", "--spacing", "3")
    done = microgen("rerun", "a.nrrd", "--out", "b.nrrd", "--json")
    assert (done.code, done.json["identical"]) == (0, True)
    assert read("b.nrrd").grid.spacing == (3, 3, 3)
    np.save("labels.npy", np.zeros((4, 3, 2), np.uint8))
    done = microgen("rerun", "a.nrrd", "--out", "c.nrrd")
    assert (done.code, "has changed since" in done.err) == (4, True)


def test_what_formats_say_they_hold_is_what_comes_back(tmp_path: Path, sample_folder: Path) -> None:
    """Every fact that a format claims to hold is there after a round trip, and no other."""
    from dataclasses import replace

    from microgen.io import find_writer, write
    from microgen.io.losses import facts, lost

    sample = read(sample_folder / "rve.vti")
    sample = replace(sample, orientation=None, grid=replace(sample.grid, origin=(1.0, 2.0, 3.0)))
    for name in (*SAMPLES, "a.ome.tif", "a.npy"):
        write(sample, tmp_path / name, overwrite=True)
        left = set(facts(sample)) - set(lost(sample, find_writer(name)))
        back = read(tmp_path / name)
        kept = {"spacing", "origin", "periodic"} & left
        assert all(getattr(back.grid, fact) == getattr(sample.grid, fact) for fact in kept)
        assert {"grain_id"} <= left
        assert ("phases" in left) == (back.phases == sample.phases)
        assert ("origin" in left) == (back.grid.origin == sample.grid.origin)


def test_errors_are_typed(microgen, here: Path) -> None:
    with pytest.raises(MicrogenError):
        read("none.nrrd")


def test_no_file_is_written_where_one_cannot_be(sample_folder: Path, microgen, tmp_path: Path) -> None:
    for name in ("z.stl", "z.tess"):
        done = microgen("convert", sample_folder / "rve.tif", "z.tif", name)
        assert done.code == 2, done.err
        assert not list(tmp_path.iterdir())
