"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from microgen.errors import InvalidParameter, OutputNotWritable
from microgen.io.atomic import atomic_folder, atomic_path, atomic_paths, check_writable


def entries(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def fail_halfway(target: Path, failure: BaseException, *, overwrite: bool = False) -> None:
    with atomic_path(target, overwrite) as part:
        part.write_text("half")
        raise failure


def fail_with_a_folder(target: Path, failure: BaseException) -> None:
    with atomic_folder(target) as part:
        (part / "grain_1.stl").write_text("1")
        raise failure


def test_a_finished_block_leaves_the_file_and_nothing_else(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "rve.tif") as part:
        part.write_text("whole")
        assert part.name.endswith(".part")
        assert entries(tmp_path) == [part.name]
    assert entries(tmp_path) == ["rve.tif"]
    assert (tmp_path / "rve.tif").read_text() == "whole"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure):
        fail_halfway(tmp_path / "rve.tif", failure())
    assert entries(tmp_path) == []


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_file_that_was_to_be_overwritten(tmp_path: Path, failure: type[BaseException]) -> None:
    (tmp_path / "rve.tif").write_text("old")
    with pytest.raises(failure):
        fail_halfway(tmp_path / "rve.tif", failure(), overwrite=True)
    assert entries(tmp_path) == ["rve.tif"]
    assert (tmp_path / "rve.tif").read_text() == "old"


def test_an_existing_file_is_replaced_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "rve.tif").write_text("old")
    with pytest.raises(OutputNotWritable, match="--overwrite"), atomic_path(tmp_path / "rve.tif"):
        pytest.fail("the block must not run")
    with atomic_path(tmp_path / "rve.tif", overwrite=True) as part:
        part.write_text("new")
    assert (tmp_path / "rve.tif").read_text() == "new"


def test_a_file_written_by_another_in_the_meantime_is_theirs(tmp_path: Path) -> None:
    context = atomic_path(tmp_path / "rve.tif")
    context.__enter__().write_text("ours")
    (tmp_path / "rve.tif").write_text("theirs")
    with pytest.raises(OutputNotWritable, match="exists"):
        context.__exit__(None, None, None)
    assert (tmp_path / "rve.tif").read_text() == "theirs"
    assert entries(tmp_path) == ["rve.tif"]


def test_two_runs_with_one_target_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a", overwrite=True) as one, atomic_path(tmp_path / "a", overwrite=True) as two:
        one.write_text("1")
        two.write_text("2")
        assert one != two


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable, match="No space left") as info:
        fail_halfway(tmp_path / "rve.tif", OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(info.value.__cause__, OSError)
    assert info.value.exit_code == 3
    assert entries(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable), atomic_path(tmp_path / "rve.tif"):
        pass


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "rve.tif").symlink_to(tmp_path / "real" / "x.tif")
    with atomic_path(tmp_path / "rve.tif") as part:
        part.write_text("whole")
    assert (tmp_path / "rve.tif").is_symlink()
    assert (tmp_path / "real" / "x.tif").read_text() == "whole"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("missing/rve.tif", "does not exist. Create it"),
        ("file/rve.tif", "is not a folder"),
        ("folder", "is a folder"),
        ("taken.tif", "exists already"),
        ("n" * 255, "too long"),
        ("n" * 300, "too long"),
        ("null\0byte", "null"),
    ],
)
def test_targets_that_cannot_be_written_are_refused_beforehand(tmp_path: Path, target: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("file", "taken.tif"):
        (tmp_path / name).write_text("x")
    before = entries(tmp_path)
    with pytest.raises(OutputNotWritable, match=reason):
        check_writable([tmp_path / "good.tif", tmp_path / target])
    assert entries(tmp_path) == before


def test_a_closed_folder_is_found_by_trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(self: Path, exist_ok: bool = True) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", closed)
    with pytest.raises(OutputNotWritable, match="Permission denied"):
        check_writable([tmp_path / "rve.tif"])


def test_good_targets_are_left_untouched(tmp_path: Path) -> None:
    (tmp_path / "old.tif").write_text("old")
    check_writable([tmp_path / "old.tif", tmp_path / "new.tif"], overwrite=True, folders=[tmp_path / "stl"])
    assert entries(tmp_path) == ["old.tif"]
    assert (tmp_path / "old.tif").read_text() == "old"


def test_one_path_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="once"):
        check_writable([tmp_path / "rve.tif", tmp_path / "rve.tif"])


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "stl") as part:
        (part / "grain_1.stl").write_text("1")
        assert not (tmp_path / "stl").exists()
    assert entries(tmp_path) == ["stl"]
    assert entries(tmp_path / "stl") == ["grain_1.stl"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure):
        fail_with_a_folder(tmp_path / "stl", failure())
    assert entries(tmp_path) == []


def test_a_folder_of_ours_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for names in (["grain_1.stl", "grain_2.stl"], ["grain_1.stl"]):
        with atomic_folder(tmp_path / "stl", overwrite=True, ours="grain_*.stl") as part:
            for name in names:
                (part / name).write_text(name)
    assert entries(tmp_path) == ["stl"]
    assert entries(tmp_path / "stl") == ["grain_1.stl"]


@pytest.mark.parametrize("stranger", ["thesis.tex", "a folder"])
def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path, stranger: str) -> None:
    (tmp_path / "home" / "grain_1.stl" if stranger == "a folder" else tmp_path / "home").mkdir(parents=True)
    if stranger != "a folder":
        (tmp_path / "home" / stranger).write_text("years of work")
    with pytest.raises(OutputNotWritable, match="not ours"), atomic_folder(tmp_path / "home", True, ours="grain_*.stl"):
        pytest.fail("the block must not run")
    assert entries(tmp_path) == ["home"]


def test_an_empty_folder_is_taken_and_a_full_one_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "stl").mkdir()
    with atomic_folder(tmp_path / "stl") as part:
        (part / "grain_1.stl").write_text("1")
    with pytest.raises(OutputNotWritable, match="not empty"), atomic_folder(tmp_path / "stl"):
        pytest.fail("the block must not run")
    assert entries(tmp_path / "stl") == ["grain_1.stl"]


def write_both(folder: Path) -> None:
    with atomic_paths([folder / "a", folder / "b"], True) as parts:
        for part in parts:
            part.write_text("new")


@pytest.mark.parametrize("before", [[], ["a"], ["a", "b"]])
@pytest.mark.parametrize("links", [True, False])
def test_several_files_appear_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: list[str], links: bool
) -> None:
    for name in before:
        (tmp_path / name).write_text("old")
    replace_, count = os.replace, 0

    def second_fails(source: Path, target: Path) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_(source, target)

    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "replace", second_fails)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(OutputNotWritable, match="b: cannot be written"):
        write_both(tmp_path)
    assert entries(tmp_path) == before
    assert all((tmp_path / name).read_text() == "old" for name in before)
    write_both(tmp_path)
    assert entries(tmp_path) == ["a", "b"]
