"""How a sample was made: enough to make it again, bit for bit, on the same version and device class."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RECORD = '<template id="provenance">', "</template>"
"""Around the provenance in a page, which browsers do not show: JSON with the escapes of HTML."""


def tool_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("microgen-gpu")
    except PackageNotFoundError:
        return "0+unknown"


def sha256(path: str | Path) -> str:
    """Hash of a file's bytes, read in pieces; of a folder, of the names and hashes of the files in it."""
    path = Path(path)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        lines = [f"{sha256(p)}  {p.relative_to(path).as_posix()}\n" for p in files]
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Provenance:
    """Configuration, seeds, hashes of the inputs and achieved figures of one sample."""

    command: str
    """Command or function that made the sample."""
    configuration: dict[str, Any] = field(default_factory=dict)
    """Resolved parameters, JSON types only; dotted names are nested objects."""
    seed: int | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    """Path -> sha256 of each file read."""
    device: str = "cpu"
    dtype: str = "float64"
    achieved: dict[str, Any] = field(default_factory=dict)
    tool: str = "microgen"
    version: str = field(default_factory=tool_version)
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_json(self, *, indent: int | None = None) -> str:
        """JSON text; non-finite numbers become null, as JSON has none."""
        return json.dumps(_finite(asdict(self)), indent=indent, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """Inverse of `to_json`; unknown keys of newer versions are dropped."""
        data = json.loads(text)
        return cls(**{k: v for k, v in data.items() if k in cls.__dataclass_fields__})


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "item"):
        return _finite(value.item() if getattr(value, "ndim", 0) == 0 else value.tolist())
    return value
