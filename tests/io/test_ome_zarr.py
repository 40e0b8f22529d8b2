"""OME-NGFF: what is written comes back, zarr sees the same, folders of others are read, damage is told."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from level_sets import level_set
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, MicrogenError, OutputNotWritable, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid, HexGrid
from microgen.io import read, write, zarr_array, zarr_pyramid
from microgen.io.sidecar import read_provenance
from microgen.io.zarr_codecs import checksum
from microgen.microstructure import Microstructure

LABELS = "labels/grain_id/0/c/0/0/0"
SHAPES = [(5, 7, 6), (5, 7), (1, 7, 6), (70, 66, 65), (130, 3)]


def moved(shape: tuple[int, ...]) -> Microstructure:
    ms = polycrystal(shape)
    d = len(shape)
    return replace(ms, grid=Grid(shape, (0.1, 0.7, 1 / 3)[:d], (-3.3, 0.1, 1e9)[:d], (True, False, True)[:d]))


@pytest.mark.parametrize("shape", SHAPES)
def test_everything_comes_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    ms = moved(shape)
    assert write(ms, tmp_path / "a.zarr") == [tmp_path / "a.zarr", tmp_path / "a.zarr.json"]
    back = read(tmp_path / "a.zarr")
    assert (back.grid, back.phases) == (ms.grid, ms.phases)
    assert back.provenance.to_json() == ms.provenance.to_json() == read_provenance(tmp_path / "a.zarr").to_json()
    for name in ("grain_id", "phase_id"):
        assert np.array_equal(getattr(back, name), getattr(ms, name))
        assert getattr(back, name).dtype == getattr(ms, name).dtype
    for name in ("phase_id", "orientation", "volume", "volume_target", "sites", "metrics", "weights"):
        assert np.array_equal(getattr(back.grains, name), getattr(ms.grains, name)), name


def test_level_sets_grey_values_and_points_come_back(tmp_path: Path) -> None:
    ms = level_set((20, 24, 70))
    rng = np.random.default_rng(0)
    grey, own = rng.integers(0, 60000, ms.grid.shape, np.uint16), rng.random((*ms.grid.shape, 4))
    ms = replace(ms, grey=grey, orientation=own, measured=grey > 7)
    write(ms, tmp_path / "a.zarr")
    back = read(tmp_path / "a.zarr")
    for name in ("level_set", "phase_id", "grey", "orientation", "measured"):
        assert np.array_equal(getattr(back, name), getattr(ms, name)), name


@pytest.mark.parametrize("shape", [(70, 66, 140), (130, 70)])
def test_zarr_sees_labels_axes_and_micrometres(tmp_path: Path, shape: tuple[int, ...]) -> None:
    zarr = pytest.importorskip("zarr")
    ms, d = moved(shape), len(shape)
    write(ms, tmp_path / "a.zarr")
    root = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert root.metadata.zarr_format == 3
    labels = root["labels/grain_id"].attrs["ome"]
    for said, folder in ((root.attrs["ome"], root), (labels, root["labels/grain_id"])):
        (scales,) = said["multiscales"]
        assert said["version"] == "0.5"
        assert [axis["name"] for axis in scales["axes"]] == list("zyx")[3 - d :]
        assert {(axis["type"], axis["unit"]) for axis in scales["axes"]} == {("space", "micrometer")}
        for k, dataset in enumerate(scales["datasets"]):
            scale, shift = dataset["coordinateTransformations"]
            spacing = [h * 2**k for h in ms.grid.spacing]
            assert scale == {"type": "scale", "scale": spacing[::-1]}
            centre = [o + h / 2 for o, h in zip(ms.grid.origin, spacing)]
            assert shift == {"type": "translation", "translation": centre[::-1]}
            level = folder[dataset["path"]]
            assert level.shape == tuple(-(-n // 2**k) for n in shape[::-1])
            assert max(level.chunks) <= 64
        assert np.array_equal(folder[scales["datasets"][0]["path"]][:].T, ms.grain_id)
        assert max(level.shape) <= 64
    assert labels["image-label"] == {"source": {"image": "../../"}}
    assert root["labels"].attrs["ome"]["labels"] == ["grain_id", "phase_id"]
    assert np.array_equal(root["labels/phase_id/0"][:].T, ms.phase_id + 1)
    assert np.array_equal(root["grains/orientation"][:], ms.grains.orientation)
    assert json.loads(root.attrs["microgen"]["provenance"])["seed"] == 3


def test_pyramids_of_labels_hold_the_most_frequent_and_of_images_the_mean() -> None:
    block = np.array([[[5, 9], [9, 5]], [[9, 1], [2, 9]]], np.int32)
    assert zarr_pyramid._halved(block, (2, 2, 2), label=True).tolist() == [[[9]]]
    assert zarr_pyramid._halved(block, (2, 2, 2), label=False).tolist() == [[[6]]]
    odd = np.arange(15, dtype=np.int32).reshape(3, 5)
    assert zarr_pyramid._halved(odd, (2, 2), label=True).tolist() == [[0, 2, 4], [10, 12, 14]]
    labels = np.random.default_rng(0).choice([3, 70000, 2**31 - 1], (70, 30, 9)).astype(np.int32)
    assert set(np.unique(zarr_pyramid._halved(labels, (2, 2, 2), label=True))) <= set(np.unique(labels))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("codec", ["none", "gzip", "zstd", "blosc", "shards", "F", "big", "default"])
def test_images_of_others_are_read(tmp_path: Path, version: int, codec: str) -> None:
    zarr, codecs = pytest.importorskip("zarr"), pytest.importorskip("zarr.codecs")
    values = np.random.default_rng(0).integers(0, 9000, (1, 6, 50, 40), np.uint16)
    if version == 2:
        import numcodecs

        more = {"none": None, "gzip": numcodecs.GZip(), "zstd": numcodecs.Zstd(), "blosc": numcodecs.Blosc()}
        options = {"compressors": more[codec]} if codec in more else {"order": "F"} if codec == "F" else {}
    else:
        packers = {"none": None, "gzip": codecs.GzipCodec(), "zstd": codecs.ZstdCodec(), "blosc": codecs.BloscCodec()}
        options = {"compressors": packers[codec]} if codec in packers else {}
        if codec == "shards":
            options = {"shards": (1, 8, 32, 64)}
        if codec == "F":
            options = {"filters": [codecs.TransposeCodec(order=(3, 1, 0, 2))]}
    dtype = ">u2" if codec == "big" and version == 2 else "u2"
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=version)
    array = root.create_array("s0", shape=values.shape, dtype=dtype, chunks=(1, 4, 16, 32), **options)
    array[:] = values
    axes = [{"name": "c", "type": "channel"}] + [{"name": a, "type": "space", "unit": "nanometer"} for a in "zyx"]
    steps = [{"type": "scale", "scale": [1, 300, 200, 100]}, {"type": "translation", "translation": [0, 150, 100, 550]}]
    scales = [{"axes": axes, "datasets": [{"path": "s0", "coordinateTransformations": steps}], "version": "0.4"}]
    said = {"multiscales": scales}
    root.attrs.update(said if version == 2 else {"ome": {"version": "0.5", **said}})
    ms = read(tmp_path / "a.zarr")
    assert np.array_equal(ms.grey, values[0].T)
    assert ms.grid.spacing == pytest.approx((0.1, 0.2, 0.3))
    assert ms.grid.origin == pytest.approx((0.5, 0.0, 0.0))


def test_labels_of_others_are_read_by_name(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    values = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    cells = root.create_group("labels/cells")
    cells.create_array("0", data=values, chunks=(2, 2, 2))
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    steps = [{"type": "scale", "scale": [3, 2, 1]}]
    scales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": steps}]}]
    cells.attrs.update({"multiscales": scales, "image-label": {}})
    ms = read(str(tmp_path / "a.zarr") + "::labels/cells")
    assert ms.grid == Grid((2, 3, 4), (1, 2, 3))
    assert np.array_equal(ms.grain_id, values.T)
    with pytest.raises(UnsupportedFormat, match="::NAME"):
        read(tmp_path / "a.zarr")
    assert np.array_equal(read(f"{tmp_path / 'a.zarr'}::labels/cells/0").grey, values.T)


def test_a_folder_of_others_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    write(polycrystal(), tmp_path / "a.zarr")
    with pytest.raises(OutputNotWritable, match="--overwrite"):
        write(polycrystal(), tmp_path / "a.zarr")
    write(level_set((9, 8, 7)), tmp_path / "a.zarr", overwrite=True)
    assert read(tmp_path / "a.zarr").level_set is not None
    (tmp_path / "a.zarr" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputNotWritable, match="holds other things"):
        write(polycrystal(), tmp_path / "a.zarr", overwrite=True)
    assert (tmp_path / "a.zarr" / "thesis.tex").exists()
    with pytest.raises(InvalidParameter, match="square grid"):
        write(replace(polycrystal((5, 7)), grid=HexGrid((5, 7), 1.0)), tmp_path / "b.zarr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "a.zarr.json"]


def changed(root: Path, path: str, **changes: object) -> None:
    file = root / path / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [10**6] * 3},
        {"shape": [10**30, 1, 1]},
        {"shape": [6, 7]},
        {"shape": []},
        {"shape": "abc"},
        {"data_type": "object"},
        {"data_type": "float3"},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 7, 5]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**20] * 3}}},
        {"codecs": []},
        {"codecs": [{"name": "bytes"}, {"name": "pickle"}]},
        {"codecs": [{"name": "bytes"}, {"name": "zstd"}]},
        {"codecs": None},
        {"fill_value": "x"},
        {"chunk_key_encoding": 3},
    ],
)
def test_absurd_metadata_are_refused(tmp_path: Path, changes: dict) -> None:
    write(polycrystal(), tmp_path / "a.zarr")
    changed(tmp_path / "a.zarr", "labels/grain_id/0", **changes)
    with pytest.raises((UnreadableFile, UnsupportedFormat)):
        read(tmp_path / "a.zarr")


def test_what_lies_outside_is_not_opened(tmp_path: Path) -> None:
    root = tmp_path / "a.zarr"
    write(polycrystal(), root)
    write(polycrystal(), tmp_path / "b.zarr")
    for inner in ("../b.zarr/labels/grain_id", "labels/../../b.zarr/labels/grain_id/0"):
        with pytest.raises(UnreadableFile, match="outside"):
            read(f"{root}::{inner}")
    shard = root / "labels/grain_id/0/c/0/0/0"
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnreadableFile, match="link"):
        read(root)
    (root / "level_set").symlink_to(tmp_path / "b.zarr/labels/grain_id", target_is_directory=True)
    with pytest.raises(UnreadableFile, match="link"):
        read(root)


def test_a_chunk_that_would_unpack_to_more_is_refused_before(tmp_path: Path) -> None:
    import zlib

    from microgen.io import zarr_codecs

    numcodecs = pytest.importorskip("numcodecs")
    bomb = bytes(50_000_000)
    packed = [numcodecs.Zstd().encode(bomb), numcodecs.Blosc().encode(bomb), numcodecs.LZ4().encode(bomb)]
    readers = [zarr_codecs._zstd, zarr_codecs._blosc, zarr_codecs._lz4, zarr_codecs._deflate]
    for unpack, data in zip(readers, [*packed, zlib.compress(bomb)]):
        assert unpack(data, len(bomb)) == bomb
        with pytest.raises(ValueError):
            unpack(data, 1000)
        with pytest.raises((ValueError, RuntimeError, struct.error)):
            unpack(data[: len(data) // 2], len(bomb))


def test_the_checksum_is_that_of_the_standard() -> None:
    assert checksum(b"123456789") == 0xE3069283


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small") / "a.zarr"
    write(polycrystal(), root)
    return root


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["zarr.json", "labels/grain_id/0/zarr.json", LABELS, "grains/sites/c/0/0"]),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    cut=st.floats(0, 1),
)
def test_damage_gives_a_typed_error_or_a_sample(
    small: Path, name: str, flips: list[tuple[float, int]], cut: float
) -> None:
    whole = (small / name).read_bytes()
    data = bytearray(whole)
    for place, byte in flips:
        data[int(place * len(data))] = byte
    (small / name).write_bytes(data[: int(cut * len(data))] if cut < 0.5 else data)
    try:
        with suppress(MicrogenError):
            assert read(small).grid.size < 10**6
    finally:
        (small / name).write_bytes(whole)


def test_shards_larger_than_one_and_empty_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zarr_array, "CHUNK", 4)
    values = np.zeros((37, 5, 19), np.int32)
    values[20:, 1, 3] = 7
    zarr_array.write_array(tmp_path / "a", values)
    files = [p for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(files) == 1 + 2
    assert np.array_equal(zarr_array.read_array(tmp_path, "a"), values)
    zarr = pytest.importorskip("zarr")
    assert np.array_equal(zarr.open_array(tmp_path / "a", mode="r")[:], values)
