"""Runs of the command inside the test process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from microgen_cli.main import main

from tests.small_sample import SMALL


@dataclass(frozen=True)
class Done:
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def microgen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run `microgen ...` in an empty folder; no run may ever show a traceback or leave a half-written file."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> Done:
        capsys.readouterr()
        code = main([str(a) for a in argv])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert not list(tmp_path.rglob("*.part"))
        return Done(code, out, err)

    return run


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample in all formats, made once."""
    folder = tmp_path_factory.mktemp("sample")
    outs = [f"--out={folder / name}" for name in ("rve.tif", "rve.csv", "rve.vti")]
    assert main(["polycrystal", *SMALL, "--quiet", *outs]) == 0
    return folder


@pytest.fixture(scope="module")
def small_search() -> Iterator[None]:
    """Samples of a search small and made in this process: what a fit tells and keeps does not hang on their size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("microgen_cli._fit.cores", lambda: 1)
        patch.setattr("microgen.fitting.quick.GRAINS", 150)
        patch.setattr("microgen.fitting.wish_target.WishTarget.block", (40,) * 3)
        patch.setattr("microgen.fitting.texture_fit.VOXELS", 32)
        yield
