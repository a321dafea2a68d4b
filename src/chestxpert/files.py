"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replace_when_whole(path: Path) -> Iterator[Path]:
    """Context that gives a path aside to write to, and renames it to `path` if nothing went wrong.

    A reader of `path` sees the old file or the new one, never half of one, even if the process is killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, values: Any) -> None:
    """Write strict JSON (NaN is an error here, not a file that other readers refuse), whole or not at all."""
    with replace_when_whole(path) as aside:
        aside.write_text(json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with replace_when_whole(path) as aside:
        aside.write_text(text, encoding="utf-8")
