"""One format per file; `read` and `write` pick it by suffix (`.damask.vti` before `.vti`) or by name.

A format module has NAME, SUFFIXES, and `read(path)` and/or `write(ms, path)`; it is imported when first asked for.
One whose samples take several files has `beside(path)`, which names the others, and `write(ms, path, *others)`; one
that cannot hold every sample says in NEEDS what it takes: "volume", "grains", "one body" (no grains), "flat cells" (of
cells laguerre), and has `check(ms)` where the sample itself must be looked at. One that writes says by `holds(ms)` what
of a sample its files hold, in the words of `losses`. It may have WRITES (the suffixes it writes, where these are fewer)
and `header(ms)` (what the JSON beside the file says besides). One whose files are folders says FOLDER, and by
`is_ours(folder)` which of them may be replaced.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.microstructure import Microstructure, TiledMicrostructure

MODULES: tuple[str, ...] = (
    "ang",
    "ctf",
    "cpr",
    "edax_h5",
    "h5oina",
    "osc",
    "ome_tiff",
    "vti",
    "damask",
    "abaqus",
    "abaqus_periodic",
    "gmsh",
    "exodus",
    "neper",
    "neper_ascii",
    "tessellation",
    "polyhedra_vtu",
    "face_table",
    "dream3d",
    "dream3d_v7",
    "dream3d_grains",
    "spparks",
    "grain_table",
    "dream3d_csv",
    "numpy_file",
    "npz",
    "grey_numpy",
    "stl",
    "threemf",
    "ply",
    "obj",
    "glb",
    "grey_tiff",
    "ome_zarr",
    "nrrd",
    "nifti",
    "raw_json",
    "zipped",
)
"""Where two formats share a suffix the first one has it, and the other is asked for by name."""
STREAMED = ("ome_zarr", "ome_tiff", "grain_table")
"""Those that are also written part by part: they have `write_tiled(ms, path, progress=)`."""


def read(path: str | Path, *, format: str | None = None) -> Microstructure:
    """Read a scan, a volume or a sample; the suffix picks the format unless `format` names one.

    A folder is read as a volume of which each picture in it is a slice.

    Raises UnsupportedFormat for unknown kinds of file, UnreadableFile when the file is missing, damaged or empty.
    """
    path = Path(path)
    file = file_of(path)
    if file.is_dir() and format in (None, "slices") and not file.suffix:
        return import_module("microgen.io.slices").read(file)
    reader = find_reader(file, format)
    if file.is_dir() and not hasattr(reader, "FOLDER"):
        raise UnreadableFile(file, "is a folder", remedy="Give one of the files in it.")
    if not file.exists():
        raise UnreadableFile(file, "does not exist", remedy="Check the spelling and the working folder.")
    if not file.is_file() and not file.is_dir():
        raise UnreadableFile(file, "is no regular file", remedy="Save the data to a file first.")
    try:
        return reader.read(path)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise UnreadableFile(file, reason, remedy="Check its permissions and the disk.") from error


def write(
    ms: Microstructure | TiledMicrostructure,
    path: str | Path,
    *,
    format: str | None = None,
    overwrite: bool = False,
    progress: Callable[[float, str], None] | None = None,
) -> list[Path]:
    """Write `ms` whole or not at all, with its provenance beside it, and return the paths written.

    A sample that was streamed is written part by part, and tells of its `progress`. Raises UnsupportedFormat for
    unknown suffixes, OutputNotWritable, and InvalidParameter for samples that the format cannot hold.
    """
    from microgen.io.sidecar import write_folder, write_with_provenance

    writer, others = find_writer(path, format), files_beside(path, format)
    pour: Callable[..., object] = writer.write
    if isinstance(ms, TiledMicrostructure):
        check_streamed(path, format)
        pour = partial(writer.write_tiled, progress=progress)
    if is_folder(path, format):
        return write_folder(pour, ms, path, overwrite=overwrite, ours=writer.is_ours)
    header = getattr(writer, "header", None)
    return write_with_provenance(pour, ms, path, beside=others, overwrite=overwrite, header=header)


def check_streamed(path: str | Path, format: str | None = None) -> None:
    """Raise InvalidParameter where the format of `path` cannot be written part by part."""
    if hasattr(find_writer(path, format), "write_tiled"):
        return
    suffixes = " ".join(suffix for name in STREAMED for suffix in import_module(f"microgen.io.{name}").SUFFIXES)
    remedy = "Write one of these, and parts of it (crop) in other formats."
    raise InvalidParameter("out", expected=f"{suffixes} for a streamed sample", got=str(path), remedy=remedy)


def file_of(path: str | Path) -> Path:
    """The file in `file.h5::scan`; any other path as it is."""
    path = Path(path)
    name, mark, _ = str(path).partition("::")
    return Path(name) if mark and name and not path.exists() else path


def find_reader(path: str | Path, format: str | None = None) -> ModuleType:
    """The module that reads files like `path`. Raises UnsupportedFormat."""
    return _find(Path(path), format, "read")


def find_writer(path: str | Path, format: str | None = None) -> ModuleType:
    """The module that writes files like `path`. Raises UnsupportedFormat."""
    return _find(Path(path), format, "write")


def files_beside(path: str | Path, format: str | None = None) -> list[Path]:
    """The other files that a sample written to `path` takes, apart from its provenance. Raises UnsupportedFormat."""
    writer = find_writer(path, format)
    return list(writer.beside(Path(path))) if hasattr(writer, "beside") else []


def is_folder(path: str | Path, format: str | None = None) -> bool:
    """Is a sample written to `path` a folder? Raises UnsupportedFormat."""
    return hasattr(find_writer(path, format), "FOLDER")


def needs(path: str | Path, format: str | None = None) -> tuple[str, ...]:
    """What a sample must have to be written to `path`, of the words of NEEDS above. Raises UnsupportedFormat."""
    return tuple(getattr(find_writer(path, format), "NEEDS", ()))


def check_sample(ms: Microstructure, path: str | Path, format: str | None = None) -> None:
    """Raise, before anything is written, what `write` would raise for a sample that NEEDS cannot tell to be unfit."""
    check = getattr(find_writer(path, format), "check", None)
    if check is not None:
        check(ms)


def _find(path: Path, format: str | None, verb: str) -> ModuleType:
    modules = [m for m in (import_module(f"microgen.io.{name}") for name in MODULES) if hasattr(m, verb)]
    if format is not None:
        named = {m.NAME: m for m in modules}
        if format not in named:
            raise InvalidParameter("format", expected=f"one of {', '.join(sorted(named))}", got=format)
        return named[format]
    known: dict[str, ModuleType] = {}
    for module in modules:
        for suffix in suffixes_of(module, verb):
            known.setdefault(suffix, module)
    for suffix in sorted(known, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return known[suffix]
    raise UnsupportedFormat(_unknown(path, verb, sorted(known)))


def suffixes_of(module: ModuleType, verb: str) -> tuple[str, ...]:
    """The suffixes of a format that are read, or written."""
    return getattr(module, "WRITES", module.SUFFIXES) if verb == "write" else module.SUFFIXES


def _unknown(path: Path, verb: str, suffixes: list[str]) -> str:
    suffix = path.suffix.lower()
    nearest = difflib.get_close_matches(suffix, suffixes, n=1, cutoff=0.6)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    what = f"the suffix {suffix}" if suffix else "a name without a suffix"
    done = {"read": "read", "write": "written"}[verb]
    return f"{path}: {what} is none that can be {done}.{hint} Known: {' '.join(suffixes)}"
