"""Bad input of every format there is: what it cannot hold, a full disk, other people's and damaged files."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from level_sets import level_set
from polycrystals import polycrystal
from test_losses import SAMPLES, WRITERS

from microgen import Grid, Polycrystal
from microgen.errors import (
    InvalidParameter,
    MicrogenError,
    NotPrintable,
    OutputNotWritable,
    UnreadableFile,
    UnsupportedFormat,
)
from microgen.io import MODULES, find_writer, read, suffixes_of, write
from microgen.microstructure import Microstructure

READERS = [m for m in (import_module(f"microgen.io.{name}") for name in MODULES) if hasattr(m, "read")]
BOTH = [m for m in READERS if m in WRITERS]
STRANGE = {
    "empty": b"",
    "zeros": bytes(3000),
    "text": b"hello\n",
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "XML": b"<a/>",
}
BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 10}">'.encode() for k in range(9)
)
STRANGE["XML bomb"] = BOMB + b']><VTKFile type="ImageData">&j;</VTKFile>'
STRANGE["XML file"] = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><VTKFile type="ImageData">&x;</VTKFile>'
DAMAGES = 12


def named(module: ModuleType) -> str:
    return module.NAME


@cache
def flat_cells() -> Microstructure:
    return Polycrystal(grains=6, cells="laguerre").sample(Grid((8, 8, 8), (1.0,) * 3, periodic=(True,) * 3), seed=4)


def written(module: ModuleType, folder: Path) -> tuple[Microstructure, Path]:
    """A sample that the format holds, and where it was written."""
    path = folder / f"a{suffixes_of(module, 'write')[0]}"
    for make in (*SAMPLES.values(), flat_cells):
        try:
            write(make(), path, format=module.NAME)
            return make(), path
        except (InvalidParameter, NotPrintable):
            continue
    raise AssertionError(f"{module.NAME} holds none of the samples")


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Files can be no larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("module", WRITERS, ids=named)
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, module: ModuleType) -> None:
    for name in ("whole", "full"):
        (tmp_path / name).mkdir()
    ms, path = written(module, tmp_path / "whole")
    size = min(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size
    for share in (0.1, 0.5, 0.95):
        with disk_of(int(share * size)), pytest.raises(OutputNotWritable, match="cannot be written"):
            write(ms, tmp_path / "full" / path.name, format=module.NAME)
        assert not list((tmp_path / "full").iterdir())


@pytest.mark.parametrize("module", WRITERS, ids=named)
def test_planes_are_held_or_refused_with_the_reason(tmp_path: Path, module: ModuleType) -> None:
    for k, ms in enumerate((polycrystal((6, 5)), level_set((6, 7)))):
        path = tmp_path / f"{k}{suffixes_of(module, 'write')[0]}"
        try:
            write(ms, path, format=module.NAME)
        except InvalidParameter:
            assert not path.exists()
        else:
            assert path.exists()
            assert "volume" not in getattr(module, "NEEDS", ())


@pytest.mark.parametrize("module", WRITERS, ids=named)
def test_a_mistyped_suffix_names_the_nearest(module: ModuleType) -> None:
    suffix = suffixes_of(module, "write")[0].split(".")[-1]
    wrong = f"a.{suffix}{suffix[-1]}" if len(suffix) > 1 else "a.ee"
    with pytest.raises(UnsupportedFormat, match=r"Did you mean \.\w" if len(suffix) > 2 else "Known: "):
        find_writer(wrong)


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("module", READERS, ids=named)
def test_strange_content_under_any_suffix_is_refused(tmp_path: Path, module: ModuleType, kind: str) -> None:
    path = tmp_path / f"a{module.SUFFIXES[0]}"
    path.write_bytes(STRANGE[kind])
    with pytest.raises((UnreadableFile, UnsupportedFormat, InvalidParameter)):
        read(path, format=module.NAME)


@pytest.mark.parametrize("module", BOTH, ids=named)
def test_damaged_files_are_read_or_refused(tmp_path: Path, module: ModuleType) -> None:
    """Cut anywhere, and with bytes flipped: a typed error, or a sample of no more points than there were."""
    (tmp_path / "whole").mkdir()
    ms, path = written(module, tmp_path / "whole")
    rng, place = np.random.default_rng(7), tmp_path / "bad"
    for k in range(2 * DAMAGES):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", place)
        files = [f for f in (place / path.name).rglob("*") if f.is_file()] if path.is_dir() else [place / path.name]
        victim = sorted(files)[rng.integers(len(files))]
        data = bytearray(victim.read_bytes())
        if k < DAMAGES:
            data = data[: rng.integers(len(data))]
        else:
            for at in rng.integers(len(data), size=rng.integers(1, 6)):
                data[at] = rng.integers(256)
        victim.write_bytes(data)
        try:
            found = read(place / path.name, format=module.NAME)
        except MicrogenError:
            continue
        assert np.prod(found.grid.shape) <= 4 * np.prod(ms.grid.shape)
