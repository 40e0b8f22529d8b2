"""Outputs appear whole or not at all: written beside their target under a `.part` name, then renamed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from microgen.errors import InvalidParameter, OutputNotWritable

Ours = str | Callable[[Path], bool]
"""Which folders may be replaced."""

_PART = re.compile(r"\.[0-9a-f]{8}\.part$")


@contextmanager
def atomic_path(target: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target`; it becomes `target` when the block ends well and is removed otherwise.

    Raises OutputNotWritable when the folder is missing or closed to us, when the target is a folder, when it
    exists and may not be overwritten, and when the system refuses a write (disk full, quota).
    """
    target = _resolved(target)
    _check_file(target, overwrite)
    part = _part(target)
    try:
        yield part
        _sync(part)
        # Somebody may have written the target in the meantime: without leave it is theirs.
        _check_file(target, overwrite)
        os.replace(part, target)
    except OSError as error:
        raise _not_writable(target, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def atomic_paths(targets: Iterable[str | Path], overwrite: bool = False) -> Iterator[list[Path]]:
    """Yield a temporary path for each target; all become their targets when the block ends well, or none does.

    Raises OutputNotWritable, as `atomic_path` does; targets already replaced are then put back.
    """
    resolved = [_resolved(target) for target in targets]
    for target in resolved:
        _check_file(target, overwrite)
    parts, old = [_part(target) for target in resolved], [_part(target) for target in resolved]
    target = resolved[0]
    try:
        yield parts
        for target, part in zip(resolved, parts):
            _sync(part)
            _check_file(target, overwrite)
        with ExitStack() as undo:
            for target, part, before in zip(resolved, parts, old):
                undo.callback(_put_back, target, before, existed=_kept(target, before))
                os.replace(part, target)
            undo.pop_all()
    except OSError as error:
        raise _not_writable(target, error) from error
    finally:
        for leftover in parts + old:
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def _kept(target: Path, before: Path) -> bool:
    """Keep what is at `target` under the name `before` too; False when there is nothing."""
    if not target.exists():
        return False
    try:
        os.link(target, before)
    except OSError:  # a disk that knows no links
        shutil.copy2(target, before)
    return True


def _put_back(target: Path, before: Path, *, existed: bool) -> None:
    with suppress(OSError):
        os.replace(before, target) if existed else target.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: str | Path, overwrite: bool = False, *, ours: Ours = "*") -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` when the block ends well and is removed otherwise.

    An existing folder is taken when it is empty, or with `overwrite` when every entry is a file that matches the glob
    `ours`, or `ours(folder)` says so: a mistyped path never costs anybody's files. Raises OutputNotWritable.
    """
    target = _resolved(target)
    _check_folder(target, overwrite, ours)
    part = _part(target)
    try:
        part.mkdir()
        yield part
        _check_folder(target, overwrite, ours)
        _swap(part, target)
    except OSError as error:
        raise _not_writable(target, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_writable(
    paths: Iterable[str | Path],
    *,
    overwrite: bool = False,
    folders: Iterable[str | Path] = (),
    ours: Ours = "*",
) -> None:
    """Refuse outputs that cannot be written, before anything is computed.

    `paths` are files, `folders` become folders (see `atomic_folder` for `ours`). A file is created and removed in
    each parent folder, since permission bits say little of read-only disks. Raises OutputNotWritable, and
    InvalidParameter when one path is given twice.
    """
    files, folders = [_resolved(p) for p in paths], [_resolved(p) for p in folders]
    for target in (twice := files + folders):
        if twice.count(target) > 1:
            raise InvalidParameter("out", expected="each output path once", got=str(target))
    for target in files:
        _check_file(target, overwrite)
    for target in folders:
        _check_folder(target, overwrite, ours)
    for target in files + folders:
        _probe(target)


def _resolved(target: str | Path) -> Path:
    """The path to rename to: a link is followed, so that the file behind it is written and not the link replaced."""
    target = Path(target)
    try:
        os.lstat(target)
    except (FileNotFoundError, NotADirectoryError):
        return target
    except (OSError, ValueError) as error:
        raise _not_writable(target, error) from error
    return Path(os.path.realpath(target)) if target.is_symlink() else target


def final_name(part: str | Path) -> str:
    """The name that a temporary path will get: writers pick details of a format by it."""
    return _PART.sub("", Path(part).name)


def _part(target: Path) -> Path:
    # A token of its own keeps two runs with the same target from writing into one file.
    return target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")


def _check_parent(target: Path) -> None:
    if not target.parent.is_dir():
        problem = "is not a folder" if target.parent.exists() else "does not exist"
        raise OutputNotWritable(f"{target}: the folder {target.parent} {problem}. Create it or choose another path.")


def _check_file(target: Path, overwrite: bool) -> None:
    _check_parent(target)
    if target.is_dir():
        raise OutputNotWritable(f"{target}: is a folder, a file was to be written. Give a file name in it.")
    if target.exists() and not overwrite:
        raise OutputNotWritable(f"{target}: exists already. Allow overwriting (--overwrite) or choose another path.")


def _check_folder(target: Path, overwrite: bool, ours: Ours) -> None:
    _check_parent(target)
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputNotWritable(f"{target}: is a file, a folder was to be written. Choose another path.")
    entries = list(target.iterdir())
    if entries and not overwrite:
        raise OutputNotWritable(f"{target}: is not empty. Allow overwriting (--overwrite) or choose another path.")
    if callable(ours):
        if entries and not ours(target):
            problem = "holds other things than were written here"
            raise OutputNotWritable(f"{target}: {problem}. Move it or choose another folder.")
        return
    for entry in entries:
        if entry.is_dir() or not entry.match(ours):
            raise OutputNotWritable(
                f"{target}: holds {entry.name}, which is not ours to replace. Move it or choose another folder."
            )


def _probe(target: Path) -> None:
    part = _part(target)
    try:
        part.touch(exist_ok=False)
        part.unlink()
    except OSError as error:
        raise _not_writable(target, error) from error


def _sync(path: Path) -> None:
    """Bring the bytes to the disk before the rename, or a power cut could leave an empty file under the real name."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(part: Path, target: Path) -> None:
    if not target.exists():
        os.replace(part, target)
        return
    # Folders cannot be replaced while they hold files: step aside, move in, throw the old one away.
    old = _part(target)
    os.replace(target, old)
    try:
        os.replace(part, target)
    except OSError:
        os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _not_writable(target: Path, error: OSError | ValueError) -> OutputNotWritable:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputNotWritable(f"{target}: cannot be written ({reason}). Free the space or choose another path.")
