"""Who may import whom, as laid down in the architecture: read from the source, so nothing needs to be importable."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EVERYONE = {"compiled", "errors", "grid", "provenance", "threads"}
ALLOWED = {
    "compiled": set(),
    "errors": set(),
    "grid": set(),
    "provenance": set(),
    "threads": set(),
    "microstructure": set(),
    "atlas": set(),
    "orientation": set(),
    "segmentation": {"microstructure", "orientation", "core"},
    "meshing": {"microstructure", "core"},
    "core": set(),
    "generators": {"microstructure", "orientation", "core"},
    "descriptors": {"microstructure", "orientation", "core"},
    "fitting": {"atlas", "generators", "descriptors", "segmentation", "core", "microstructure", "orientation"},
    "io": {"atlas", "microstructure", "orientation", "meshing"},
    "report": {"atlas", "descriptors", "microstructure", "orientation"},
}
HEAVY = {"torch", "pyvista", "vtk", "matplotlib", "numba", "scipy", "h5py", "tifffile", "manifold3d"}
DRAWING = {"pyvista", "vtk", "matplotlib"}
SOURCES = sorted((ROOT / "microgen").rglob("*.py"))


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Dotted names of everything a file imports (typing-only imports included)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or path.parent.name == "cli", f"{path}: relative imports hide who imports whom"
            names |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return names


def layer(path: Path) -> str:
    return path.relative_to(ROOT / "microgen").parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_layers_import_only_what_lies_below(path: Path) -> None:
    if layer(path) == "__init__":
        return
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("microgen.")}
    assert ours <= ALLOWED[layer(path)] | EVERYONE | {layer(path)}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_library_knows_no_command_and_draws_only_at_the_border(path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path)}
    assert not names & {"cyclopts", "rich", "microgen_cli"}
    if layer(path) not in ("io", "report"):
        assert not names & DRAWING
    assert not {name.split(".")[0] for name in imported(path, top_level_only=True)} & DRAWING


def test_parameters_formats_and_statistics_come_without_torch() -> None:
    modules = "generators.polycrystal generators.box io descriptors.grains segmentation report meshing orientation"
    code = "; ".join(f"import microgen.{name}" for name in modules.split())
    code += "; import sys; print('torch' in sys.modules, 'pyvista' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_torch_is_loaded_by_what_computes_only(path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path, top_level_only=True)}
    assert "torch" not in names or layer(path) in ("core", "generators", "fitting")


@pytest.mark.parametrize("path", sorted((ROOT / "cli").glob("*.py")), ids=name_of)
def test_commands_use_public_names_only(path: Path) -> None:
    """Names of `microgen` itself, of the base modules, of the formats and of the report; nothing with an underscore."""
    import microgen

    for module, _, name in (dotted.rpartition(".") for dotted in imported(path) if dotted.startswith("microgen.")):
        inside = module.removeprefix("microgen").strip(".").split(".")[0]
        assert not name.startswith("_")
        assert name in microgen.__all__ or inside in EVERYONE | {"io", "report"}, f"{module}.{name}"


@pytest.mark.parametrize("path", sorted((ROOT / "cli").glob("*.py")), ids=name_of)
def test_commands_leave_the_heavy_work_to_the_library(path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path)}
    assert path.name == "doctor.py" or not names & HEAVY


def test_base_modules_are_complete() -> None:
    assert {layer(p) for p in SOURCES} - {"__init__"} <= set(ALLOWED)
