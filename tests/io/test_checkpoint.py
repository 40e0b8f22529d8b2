"""States of unfinished runs come back as they were; damaged ones are refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from microgen.errors import UnreadableFile
from microgen.io.checkpoint import checkpoint_path, read_checkpoint, write_checkpoint


@dataclass
class State:
    field: np.ndarray
    step: int = 3
    energy: tuple[float, ...] = (2.5, 1.5)
    solid: np.ndarray | None = None


def test_fields_and_identity_come_back(tmp_path: Path) -> None:
    path = checkpoint_path(tmp_path / "a.tif")
    for step in (3, 4):  # the last one replaces those before
        write_checkpoint(State(np.arange(6, dtype=np.float32), step), path, identity={"seed": 1})
    fields, identity = read_checkpoint(path)
    assert (path.name, identity, fields["step"]) == ("a.tif.state.npz", {"seed": 1}, 4)
    assert fields["field"].dtype == np.float32
    assert np.array_equal(fields["energy"], [2.5, 1.5])
    assert "solid" not in fields


@pytest.mark.parametrize("cut", [0, 10, 200, -40])
def test_damaged_states_are_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.state.npz"
    write_checkpoint(State(np.arange(6)), path, identity={})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UnreadableFile, match="state"):
        read_checkpoint(path)
