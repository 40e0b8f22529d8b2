"""JSON for programs: plain values only, and null where there is no finite number."""

from __future__ import annotations

import json
import math
from pathlib import PurePath
from typing import Any


def plain(value: Any) -> Any:
    """The value in the types JSON has."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def dumps(value: Any) -> str:
    """One JSON text, indented for readers."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False)
