"""The file of trials: nothing is lost, nothing of another fit is taken, and no two fits write one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from microgen.errors import OutputNotWritable, UnreadableFile
from microgen.io.trials import TrialsFile

ROWS = [{"number": 1, "value": 0.5}, {"number": 2, "value": float("inf")}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "fit_trials.jsonl"
    with TrialsFile(found, {"seed": 0}) as log:
        for row in ROWS:
            log.append(row)
    return found


def test_rows_come_back(path: Path) -> None:
    with TrialsFile(path, {"seed": 0}, resume=True) as log:
        assert log.rows == ROWS
        log.append({"number": 3})
    with TrialsFile(path, {"seed": 0}, resume=True) as log:
        assert len(log.rows) == 3


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_line_that_was_cut_short_is_dropped(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    with TrialsFile(path, {"seed": 0}, resume=True) as log:
        assert log.rows == ROWS[:1]
        log.append(ROWS[1])
    with TrialsFile(path, {"seed": 0}, resume=True) as log:
        assert log.rows == ROWS


def test_another_fit_is_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(OutputNotWritable, match="another fit"):
        TrialsFile(path, {"seed": 1}, resume=True)
    with pytest.raises(OutputNotWritable, match="--resume"):
        TrialsFile(path, {"seed": 0})
    assert path.read_bytes() == before


def test_a_file_in_use_is_refused(path: Path) -> None:
    pytest.importorskip("fcntl")
    with (
        TrialsFile(path, {"seed": 0}, resume=True),
        pytest.raises(OutputNotWritable, match="being written by another fit"),
    ):
        TrialsFile(path, {"seed": 0}, resume=True)


def test_overwriting_begins_anew(path: Path) -> None:
    with TrialsFile(path, {"seed": 1}, overwrite=True) as log:
        assert log.rows == []
    with TrialsFile(path, {"seed": 1}, resume=True) as log:
        assert log.rows == []


def test_damage_names_the_line(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "nonsense", lines[2], ""]))
    with pytest.raises(UnreadableFile, match="line 2"):
        TrialsFile(path, {"seed": 0}, resume=True)


@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}, {}], ids=str)
@pytest.mark.parametrize("content", [b"my notes\n", b'{"a": 1}\n', b"\xff\xfe\x00 picture"], ids=str)
def test_a_file_that_is_no_log_is_left_alone(content: bytes, how: dict, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_bytes(content)
    with pytest.raises(UnreadableFile, match="no trial"):
        TrialsFile(other, {"seed": 0}, **how)
    assert other.read_bytes() == content
