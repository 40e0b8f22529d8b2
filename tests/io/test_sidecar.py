"""Provenance lies in the file and beside it, and is read from either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, MicrogenError, OutputNotWritable, UnreadableFile
from microgen.io import write
from microgen.io.sidecar import read_provenance, sidecar_path, write_with_provenance
from microgen.microstructure import Microstructure

NAMES = ["a.tif", "a.ome.tif", "a.vti", "a.csv", "a.npy", "a.nrrd", "a.nii", "a.nii.gz", "a.npz"]


@pytest.mark.parametrize("name", NAMES)
def test_every_file_has_its_provenance_beside_it(tmp_path: Path, name: str) -> None:
    ms = polycrystal()
    assert write(ms, tmp_path / name) == [tmp_path / name, tmp_path / f"{name}.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [name, f"{name}.json"]
    beside = (tmp_path / f"{name}.json").read_text()
    assert json.loads(beside) == json.loads(ms.provenance.to_json())
    for path in (tmp_path / name, tmp_path / f"{name}.json"):
        assert read_provenance(path).to_json() == ms.provenance.to_json()


@pytest.mark.parametrize("name", ["a.tif", "a.vti", "a.nrrd", "a.nii", "a.nii.gz", "a.npz"])
def test_embedded_provenance_needs_neither_sidecar_nor_suffix(tmp_path: Path, name: str) -> None:
    ms = polycrystal()
    write(ms, tmp_path / name)
    (tmp_path / name).rename(tmp_path / "renamed")
    assert read_provenance(tmp_path / "renamed").to_json() == ms.provenance.to_json()


def test_the_second_file_of_a_format_knows_too(tmp_path: Path) -> None:
    ms = polycrystal()
    write(ms, tmp_path / "a.damask.vti")
    assert read_provenance(tmp_path / "a.material.yaml").to_json() == ms.provenance.to_json()


def test_a_sample_without_provenance_says_at_least_the_tool(tmp_path: Path) -> None:
    write(replace(polycrystal(), provenance=None), tmp_path / "a.tif")
    assert (read_provenance(tmp_path / "a.tif").command, read_provenance(tmp_path / "a.tif").tool) == (
        "write",
        "microgen",
    )


def test_a_file_without_provenance_is_refused(tmp_path: Path) -> None:
    write(polycrystal(), tmp_path / "a.npy")
    sidecar_path(tmp_path / "a.npy").unlink()
    for path in (tmp_path / "a.npy", tmp_path / "missing.tif", tmp_path):
        with pytest.raises(UnreadableFile):
            read_provenance(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"a": 1}', '{"command": 3}', '{"command": "x", "configuration": []}', "[" * 100000]
    + ['{"command": "x", "seed": "zero"}', '{"command": "x", "inputs": null}', "\udce9"],
)
def test_json_that_is_no_provenance_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UnreadableFile):
        read_provenance(tmp_path / "a.json")


def test_unknown_keys_of_newer_versions_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"command": "polycrystal", "new": 1, "seed": 7}')
    assert read_provenance(tmp_path / "a.json").seed == 7


@pytest.mark.parametrize("failure", [InvalidParameter("a", expected="b", got=1), KeyboardInterrupt(), OSError(28, "")])
def test_a_writer_that_fails_leaves_neither_file(tmp_path: Path, failure: BaseException) -> None:
    def writer(ms: Microstructure, path: Path) -> None:
        path.write_bytes(b"half")
        raise failure

    with pytest.raises((MicrogenError, KeyboardInterrupt)):
        write_with_provenance(writer, polycrystal(), tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def little_space() -> Iterator[None]:
    """Files may not grow beyond 1000 bytes: the system refuses the write in the middle, as a full disk does."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_space")
@pytest.mark.parametrize("name", NAMES)
def test_a_write_the_system_refuses_is_told_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    ms = polycrystal((12, 12, 12))
    with pytest.raises(OutputNotWritable, match=rf"{name}: cannot be written \(File too large\)"):
        write(ms, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_sidecar_is_not_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.tif.json").write_text("mine")
    with pytest.raises(OutputNotWritable, match="exists"):
        write(polycrystal(), tmp_path / "a.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif.json"]
    write(polycrystal(), tmp_path / "a.tif", overwrite=True)
    assert read_provenance(tmp_path / "a.tif.json").seed == 3
