"""Volumes among the flags: solid and void, voxel size and notes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from microgen_cli._volume import VolumeFlags, read_any, read_volume

import microgen as library
from microgen import Grid, Microstructure, Phase
from microgen.errors import InvalidParameter, UnreadableFile

LEVELS = np.repeat(np.array([10, 60, 200], np.uint8), [600, 300, 100]).reshape(10, 10, 10)
SIZE = (2.0,)


def solid(ms: Microstructure) -> int:
    assert set(np.unique(ms.phase_id)) == {-1, 0}
    return int((ms.phase_id == 0).sum())


def picture(values: np.ndarray) -> Path:
    tifffile.imwrite("volume.tif", values.T, photometric="minisblack")
    return Path("volume.tif")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("rule", "count", "note"),
    [
        ("", 100, "solid above 60 (otsu)"),
        ("59", 400, "solid above 59"),
        ("multi-otsu", 100, "solid above 60 (multi-otsu: 10, 60)"),
        ("hysteresis:50,100", 400, "solid above 50, connected to above 100"),
    ],
)
def test_what_is_solid_and_what_is_said(rule: str, count: int, note: str) -> None:
    ms = read_volume(picture(LEVELS), VolumeFlags(grey_threshold=rule), spacing=SIZE)
    assert solid(ms) == count
    assert note in ms.notes
    assert any("no --grey-threshold was given" in text for text in ms.notes) == (not rule)
    assert ms.grid.spacing == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("rule", ["", "otsu"])
def test_two_values_need_no_threshold_and_can_be_inverted(rule: str) -> None:
    path = picture(np.where(LEVELS > 100, np.uint8(255), np.uint8(0)))
    assert solid(read_volume(path, VolumeFlags(grey_threshold=rule), spacing=SIZE)) == 100
    dark = read_volume(path, VolumeFlags(grey_threshold=rule, invert=True), spacing=SIZE)
    assert solid(dark) == 900
    assert not any(note.startswith("two values") for note in dark.notes)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
def test_whole_numbers_of_a_foreign_npy_are_grey_values(dtype: type) -> None:
    np.save("a.npy", LEVELS.astype(dtype) - dtype(5))
    assert solid(read_volume(Path("a.npy"), spacing=SIZE)) == 100


def test_fractions_of_a_npy_are_a_level_set() -> None:
    np.save("a.npy", LEVELS / np.float32(100) - 1)
    ms = read_volume(Path("a.npy"), spacing=SIZE)
    assert (solid(ms), ms.notes) == (100, ("a level set: solid where it is above 0",))
    dark = read_volume(Path("a.npy"), VolumeFlags(invert=True), spacing=SIZE)
    assert dark.level_set is not None
    assert ((dark.level_set > 0) == (dark.phase_id == 0)).all()


def test_volumes_that_microgen_wrote_keep_their_phases() -> None:
    phase_id = np.where(LEVELS > 100, 1, np.where(LEVELS > 50, 0, -1)).astype(np.int16)
    made = Microstructure(Grid(LEVELS.shape, (3.0,) * 3), phase_id, phases=(Phase("a"), Phase("b")))
    path = library.write(made, "made.ome.tif")[0]
    ms = read_volume(path)
    assert (solid(ms), ms.grid.spacing) == (400, (3.0,) * 3)
    assert "all phases together are the solid" in ms.notes
    assert solid(read_volume(path, VolumeFlags(invert=True))) == 600
    with pytest.raises(InvalidParameter, match=r"--grey-threshold.*phases"):
        read_volume(path, VolumeFlags(grey_threshold="otsu"))


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32"])
def test_raw_values(dtype: str) -> None:
    LEVELS.astype(dtype).ravel(order="F").tofile("a.raw")
    ms = read_volume(Path("a.raw"), VolumeFlags(raw_shape=(10, 10, 10), raw_type=dtype), spacing=(1.0, 1.0, 2.0))
    assert (solid(ms), ms.grid.spacing) == (100, (1.0, 1.0, 2.0))
    np.testing.assert_array_equal(ms.phase_id == 0, LEVELS > 100)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"raw_type": "uint8"}, "--raw-type"),
        ({"raw_shape": (10, 10, 10), "raw_type": "i4,("}, "--raw-type"),
        ({"raw_shape": (1000,)}, "--raw-shape"),
        ({"raw_shape": (10, 10, -10)}, "--raw-shape"),
    ],
)
def test_raw_flags_that_say_nothing(flags: dict, named: str) -> None:
    LEVELS.tofile("a.raw")
    with pytest.raises(InvalidParameter, match=named):
        read_volume(Path("a.raw"), VolumeFlags(**flags), spacing=SIZE)


def test_raw_files_without_a_shape_tell_the_flags() -> None:
    LEVELS.tofile("a.RAW")
    with pytest.raises(UnreadableFile, match="--raw-shape 128"):
        read_volume(Path("a.RAW"), spacing=SIZE)


@pytest.mark.parametrize("name", ["volume.tif", "a.npy"])
def test_the_size_of_a_voxel_is_asked_for(name: str) -> None:
    picture(LEVELS)
    np.save("a.npy", LEVELS)
    with pytest.raises(InvalidParameter, match=r"--spacing.*19.5um"):
        read_volume(Path(name))


@pytest.mark.parametrize("spacing", [(1.0, 2.0), (0.0,), (-1.0,), (float("nan"),), (float("inf"),)])
def test_sizes_that_no_voxel_has(spacing: tuple[float, ...]) -> None:
    with pytest.raises(InvalidParameter, match="--spacing"):
        read_volume(picture(LEVELS), spacing=spacing)


def test_a_size_other_than_the_file_states_is_told() -> None:
    facts = {"unit": "um", "spacing": 2.0, "axes": "ZYX"}
    tifffile.imwrite("a.tif", LEVELS.T, imagej=True, resolution=(0.5, 0.5), metadata=facts)
    assert read_volume(Path("a.tif")).grid.spacing == (2.0,) * 3
    ms = read_volume(Path("a.tif"), spacing=(3.0,))
    assert "voxels of 3 µm as asked for; the file states 2 µm" in ms.notes


@pytest.mark.parametrize(
    ("values", "rule", "named"),
    [
        (np.full((4, 4, 4), 7, np.uint8), "", "--uct.*one grey value"),
        (np.full((4, 4, 4), 7, np.uint8), "otsu", "--uct.*one grey value"),
        (LEVELS, "250", "--grey-threshold"),
        (LEVELS, "soft", "--grey-threshold"),
        (LEVELS, "multi-otsu:4", "--grey-threshold"),
        (LEVELS[:, :, 5], "", "--uct.*plane"),
    ],
)
def test_what_holds_no_two_phases_is_refused(values: np.ndarray, rule: str, named: str) -> None:
    with pytest.raises(InvalidParameter, match=named) as caught:
        read_volume(picture(values), VolumeFlags(grey_threshold=rule), spacing=SIZE)
    assert caught.value.exit_code == 2


def test_one_phase_alone_is_refused() -> None:
    made = Microstructure(Grid((4, 4, 4), (3.0,) * 3), np.zeros((4, 4, 4), np.int16), phases=(Phase("a"),))
    path = library.write(made, "made.ome.tif")[0]
    with pytest.raises(InvalidParameter, match=r"--uct.*solid everywhere"):
        read_volume(path)


def test_labels_stay_labels_where_any_file_will_do() -> None:
    np.save("a.npy", LEVELS)
    assert read_any(Path("a.npy"), VolumeFlags()).grain_id is not None
    assert solid(read_any(Path("a.npy"), VolumeFlags(grey_threshold="otsu"), spacing=SIZE)) == 100


@pytest.mark.parametrize(
    ("flags", "share"),
    [(["--grey-threshold", "100"], 0.1), (["--threshold", "otsu", "--invert"], 0.9), (["--invert"], 0)],
)
def test_describe_divides_grey_values(microgen, flags: list[str], share: float) -> None:
    done = microgen("describe", picture(LEVELS), "--json", "--quiet", *flags)
    assert done.code == (0 if share else 2)
    assert not share or done.json["statistics"]["volume_fraction"] == pytest.approx(share)


@pytest.mark.parametrize("flags", [["--format", "imagej"], []])
def test_describe_and_info_take_two_values_for_solid_and_void(microgen, flags: list[str]) -> None:
    path = picture(np.where(LEVELS > 100, np.uint8(255), np.uint8(0)))
    assert microgen("describe", path, "--json", *flags).json["statistics"]["volume_fraction"] == pytest.approx(0.1)
    inverted = microgen("describe", path, "--json", "--invert", *flags).json
    assert inverted["statistics"]["volume_fraction"] == pytest.approx(0.9)
    assert microgen("info", path, "--json").json["volume"]["phase_fractions"] == {"solid": pytest.approx(0.1)}


def test_describe_and_info_read_raw_files(microgen) -> None:
    LEVELS.ravel(order="F").tofile("a.raw")
    shape = ["--raw-shape", 10, 10, 10]
    assert microgen("info", *shape, "a.raw", "--json").json["volume"]["grey"] == {
        "type": "uint8",
        "min": 10,
        "max": 200,
    }
    found = microgen("describe", "a.raw", *shape, "--threshold", "otsu", "--json").json["statistics"]
    assert found["volume_fraction"] == pytest.approx(0.1)
    for command in ("info", "describe"):
        assert microgen(command, "a.raw").code == 4
        assert microgen(command, "a.raw", *shape, "--raw-type", "text").code == 2


def test_describe_does_not_invert_grains(microgen, sample_folder: Path) -> None:
    done = microgen("describe", sample_folder / "rve.vti", "--invert")
    assert (done.code, "got      grains" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "flags", "share", "note"),
    [
        ("lhdl_3155_D_4_bc", {}, None, "solid above 84 (otsu)"),
        ("lhdl_3155_D_4_bc", {"grey_threshold": "63"}, 0.228, "solid above 63"),
        ("boneJ_Shrew.nrrd", {}, 0.2935, "two values: 255 is solid, 0 is void"),
        ("boneJ_Shrew.nrrd", {"grey_threshold": "otsu"}, 0.2935, "solid above 0 (otsu)"),
        ("puma_100_fiberform.tif", {"grey_threshold": "89"}, 0.167, "solid above 89"),
        ("mosser_ketton.zip", {}, 0.8731, "two values: 255 is solid, 0 is void"),
        ("mosser_ketton.zip", {"invert": True}, 0.1269, "inverted: what the file has as solid is void"),
        ("quanfima_polymer3d_8bit_128x128x128.raw", {"raw_shape": (128,) * 3}, None, "solid above 127 (otsu)"),
    ],
)
def test_measured_volumes(real_data: Path, name: str, flags: dict, share: float | None, note: str) -> None:
    ms = read_volume(real_data / "uct" / name, VolumeFlags(**flags), spacing=(4.1,))
    assert note in ms.notes
    assert share is None or solid(ms) / ms.grid.size == pytest.approx(share, abs=5e-4)
