"""The atlas table: exact, append-only, and whole again after an interruption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen.atlas import COLUMNS
from microgen.errors import OutputNotWritable, UnreadableFile
from microgen.io.atlas_table import append_row, read_atlas, resume_table, start_table
from tests.made_up_atlas import SETTINGS, made_up_atlas


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three rows, the last one first, one of them without texture."""
    path, atlas = tmp_path / "atlas.csv", made_up_atlas()
    start_table(path, SETTINGS)
    for index in (2, 0):
        append_row(path, atlas.row(index))
    append_row(path, atlas.row(1) | {"status": "no_texture", "thickness": float("nan")})
    return path


def test_what_is_written_is_read_to_the_last_bit(table: Path) -> None:
    read, made = read_atlas(table), made_up_atlas()
    assert read.settings == SETTINGS
    assert read.columns["status"].tolist() == ["converged", "no_texture", "converged"]
    for name in COLUMNS:
        if name not in ("status", "thickness"):
            assert np.array_equal(read.columns[name], made.columns[name][:3]), name
    assert np.isnan(read.columns["thickness"]).tolist() == [False, True, False]


def test_a_torn_line_is_dropped_and_a_second_copy_does_not_count(table: Path) -> None:
    whole = table.read_bytes()
    append_row(table, made_up_atlas().row(2) | {"mass": 0.5})
    with table.open("ab") as file:
        file.write(b"4,100,conver")
    assert read_atlas(table).columns["mass"][2] != 0.5
    assert resume_table(table, SETTINGS) == {1, 2, 3}
    append_row(table, made_up_atlas().row(3))
    assert table.read_bytes().startswith(whole)
    assert read_atlas(table).columns["sample"].tolist() == [1, 2, 3, 4]


def test_another_run_is_not_gone_on_with(table: Path) -> None:
    before = table.read_bytes()
    with pytest.raises(OutputNotWritable, match="another run .seed 3."):
        resume_table(table, SETTINGS | {"seed": 4})
    with pytest.raises(OutputNotWritable, match="exists already"):
        start_table(table, SETTINGS)
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# microgen-atlas", "# other"),
        ('"dx": 0.01', '"dx": "x"'),
        ("sample,seed", "sampel,seed"),
        ("converged,", "converged,,"),
        ("3,102,", "3,1x2,"),
        ("3,102,", "3,µ,"),
    ],
)
def test_damage_is_told(table: Path, old: str, new: str) -> None:
    table.write_text(table.read_text().replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UnreadableFile, match=r"atlas\.csv"):
        read_atlas(table)


def test_a_missing_atlas_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        read_atlas(tmp_path / "none.csv")
