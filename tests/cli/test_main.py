"""Exit codes, readable errors, help that loads little."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from microgen_cli import main as command
from microgen_cli.main import main

from microgen import errors


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", "from microgen_cli.main import main; raise SystemExit(main())", *argv],
                          capture_output=True, text=True)  # fmt: skip


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from microgen_cli.main import main; main(['--help']);"
        "print([m for m in ('torch', 'numba', 'pyvista', 'matplotlib', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in ("polycrystal", "info", "rerun", "doctor"))


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "microgen_cli.main", "view"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "microgen view --help" in done.stderr


def test_bare_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "microgen polycrystal --ebsd scan.ang" in capsys.readouterr().out


def test_typo_in_flag_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--jsno"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Did you mean --json?" in err


def test_unknown_command_is_2_and_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docter"]) == 2
    assert "doctor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidParameter("size.cv", expected="a positive number", got=-1), 2),
        (errors.EnvironmentProblem("no such device"), 3),
        (errors.OutputNotWritable("cannot be written"), 3),
        (MemoryError(), 3),
        (errors.UnreadableFile("a.ang", "is empty", line=3, remedy="Export it again."), 4),
        (errors.UnsupportedFormat("what is this"), 4),
        (errors.NoGrains("nothing to measure"), 4),
        (errors.NotConverged("stopped at 2 %"), 5),
        (errors.TargetNotMet("missed"), 5),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("division"), 1),
    ],
)
def test_every_error_has_its_code_and_no_traceback(error, code, monkeypatch, capsys) -> None:
    def fail(tokens: list[str]) -> int:
        raise error

    monkeypatch.setattr(command, "_dispatch", fail)
    assert main(["doctor"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(("error: ", "stopped: "))
    assert "Traceback" not in err


def test_error_block_names_what_expected_came_remedy(monkeypatch, capsys) -> None:
    def fail(tokens: list[str]) -> int:
        raise errors.InvalidParameter("--tolerance", expected="a number above 0", got=0.0, remedy="Try 0.01.")

    monkeypatch.setattr(command, "_dispatch", fail)
    main(["doctor"])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: --tolerance cannot be used"
    assert [line.split()[0] for line in lines[1:]] == ["expected", "got", "remedy"]


def test_traceback_on_request(monkeypatch, capsys) -> None:
    def fail(tokens: list[str]) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "_dispatch", fail)
    monkeypatch.setenv("MICROGEN_DEBUG", "1")
    assert main(["doctor"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_foreign_package_of_the_same_name_is_explained(tmp_path, monkeypatch, capsys) -> None:
    class Spec:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: Spec)
    assert main(["doctor"]) == 3
    assert "pip uninstall microgen microgen-gpu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "code"),
    [(None, 4), ("grains = [", 4), ("\x00", 4), ("no_such_flag = 1", 2)],
    ids=["missing", "cut", "nul", "key"],
)
def test_bad_configuration_files(text: str | None, code: int, tmp_path, capsys) -> None:
    path = tmp_path / "run.toml"
    if text is not None:
        path.write_text(text)
    assert main(["polycrystal", "--config", str(path)]) == code
    assert "run.toml" in capsys.readouterr().err


def test_doctor_tells_the_facts(capsys) -> None:
    code = main(["doctor", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert code == (3 if facts["problems"] else 0)
    assert facts["libraries"]["numpy"]
    assert facts["package"].startswith("microgen-gpu")


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("microgen 0.")


def test_a_stream_of_ascii_gets_escapes(tmp_path: Path) -> None:
    scan = tmp_path / "µ.ang"
    scan.write_text("no scan")
    done = subprocess.run(
        [sys.executable, "-c", "from microgen_cli.main import main; raise SystemExit(main())", "info", str(scan)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    assert done.returncode == 4
    assert b"\\xb5.ang" in done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_standard_output_is_told() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from microgen_cli.main import main; raise SystemExit(main())", "polycrystal", "-h"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 3, done.stderr
    assert "standard output cannot be written" in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_standard_error_takes_nothing_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["info", "nowhere.ang"]) == 4
