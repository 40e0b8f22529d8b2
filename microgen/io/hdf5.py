"""Careful access to HDF5 files of unknown origin: nothing outside the file is opened, no size is taken on trust."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microgen.errors import MicrogenError, UnreadableFile

if TYPE_CHECKING:
    import h5py

PACKED = 1100
"""Bytes of data that a stored byte can hold at most (zlib packs 1032 to 1)."""
MOST_GROUPS = 1000
DEPTH = 4


@contextmanager
def opened(path: Path, *, remedy: str) -> Iterator[h5py.File]:
    """The file; what goes wrong in it is raised as UnreadableFile."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except MicrogenError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, OverflowError, MemoryError) as error:
        reason = str(error).split("\n")[0][:200]
        raise UnreadableFile(path, f"is no whole HDF5 file ({reason})", remedy=remedy) from error


def others(names: Iterable[str], chosen: str, what: str) -> tuple[str, ...]:
    """A note on what else a file holds."""
    rest = ", ".join(name for name in list(names)[:20] if name != chosen)
    return (f"{what} {chosen!r} of the file; it also holds {rest} (FILE::NAME)",) if rest else ()


def keys(group: h5py.Group) -> list[str]:
    """Names in a group, in its order."""
    return [key for key in group if isinstance(key, str)]


def own(group: h5py.Group, name: str) -> object:
    """What a hard link holds; None for soft and external links, which may lead out of the file."""
    import h5py

    return group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None


def group_at(parent: h5py.Group, *names: str) -> h5py.Group | None:
    """The group down a path of hard links; None when there is none."""
    import h5py

    for name in names:
        found = own(parent, name)
        if not isinstance(found, h5py.Group):
            return None
        parent = found
    return parent


def groups_with(root: h5py.Group, *names: str) -> dict[str, h5py.Group]:
    """Groups below `root` that hold the path `names`, by their own path."""
    return {path: group for path, group in _walk(root) if group_at(group, *names) is not None}


def groups_below(root: h5py.Group) -> dict[str, h5py.Group]:
    """All groups below `root`, by their own path."""
    return dict(_walk(root))


def _walk(root: h5py.Group) -> Iterator[tuple[str, h5py.Group]]:
    """Groups breadth first. Hard links may form rings: depth and number are limited."""
    level = [("", root)]
    count = 0
    for _ in range(DEPTH):
        level = [
            (f"{path}/{name}".lstrip("/"), child)
            for path, group in level
            for name in keys(group)
            if (child := group_at(group, name)) is not None
        ]
        count += len(level)
        if count > MOST_GROUPS:
            return
        yield from level


def vector(path: Path, group: h5py.Group, name: str) -> np.ndarray | None:
    """A data set as a vector of numbers or text; the name's case does not count. None when there is none.

    Raises UnreadableFile for data that lie outside the file or are larger than the file could hold.
    """
    import h5py

    key = next((k for k in keys(group) if k.strip().lower() == name.lower()), None)
    found = None if key is None else own(group, key)
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "iufSO":
        return None
    stored = found.external is None and not found.is_virtual
    if not stored or found.nbytes > PACKED * found.id.get_storage_size() + 1000:
        raise UnreadableFile(path, f"{found.name} holds no data of its own", remedy="Export it again.")
    return np.atleast_1d(np.asarray(found[()])).ravel()


def number(path: Path, group: h5py.Group, name: str) -> float:
    """First value of a data set; 0 when it is missing, no number or not above 0."""
    found = vector(path, group, name)
    if found is None or len(found) == 0 or found.dtype.kind not in "iuf":
        return 0.0
    value = float(found[0])
    return value if 0 < value < 2**53 else 0.0


def text(path: Path, group: h5py.Group, name: str) -> str:
    """First value of a data set of text; empty when it is missing."""
    found = vector(path, group, name)
    if found is None or len(found) == 0 or not isinstance(found[0], bytes | str):
        return ""
    value = found[0].decode("utf-8", "replace") if isinstance(found[0], bytes) else found[0]
    return str(value).strip("\0 ")
