"""The state of a run that is not finished, beside its first output as NAME.EXT.state.npz, to go on from later."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import UnreadableFile
from microgen.io.atomic import atomic_path

_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


def checkpoint_path(output: str | Path) -> Path:
    """Where the state of the run that will write `output` lies."""
    output = Path(output)
    return output.with_name(output.name + ".state.npz")


def write_checkpoint(state: Any, path: str | Path, *, identity: Mapping[str, Any]) -> None:
    """Write the fields of a dataclass of numbers and arrays, and what tells the run from others. Replaces the last."""
    values = {f.name: getattr(state, f.name) for f in fields(state)}
    arrays: Any = {name: np.asarray(value) for name, value in values.items() if value is not None}
    with atomic_path(path, True) as part, part.open("wb") as file:
        np.savez(file, __identity__=np.array(json.dumps(identity)), **arrays)


def read_checkpoint(path: str | Path) -> tuple[dict[str, Any], Any]:
    """The fields (scalars as Python numbers) and the identity. Raises UnreadableFile."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        identity = json.loads(str(found.pop("__identity__")))
    except _DAMAGE as error:
        raise UnreadableFile(path, f"holds no state to go on from ({error})", remedy="Remove it.") from error
    return {name: value.item() if value.ndim == 0 else value for name, value in found.items()}, identity
