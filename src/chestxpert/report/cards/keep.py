"""Cards that know whether somebody has changed them since: what a person wrote is never overwritten."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from chestxpert.errors import RunError
from chestxpert.files import write_text

_MARK = re.compile(r"\n<!-- written by chestxpert, ([0-9a-f]{12}) -->\n\Z")


def write_card(path: Path, text: str) -> Path:
    """Write a card with a mark at its end that tells whether it is still as written.

    Parameters
    ----------
    path : Path
    text : str
        Markdown that ends with a newline; the mark is a comment below it, which no reader shows.

    Returns
    -------
    Path
        `path`, written whole or not at all.

    Raises
    ------
    RunError
        If there is a file without the mark, or one that was changed below or above it.
    """
    if path.exists() and not _as_written(path):
        raise RunError(
            f"{path} was changed since it was written, or was not written by this command; it is not overwritten. Move "
            "it, or name another file with --out."
        )
    write_text(path, f"{text}\n<!-- written by chestxpert, {_digest(text)} -->\n")
    return path


def _as_written(path: Path) -> bool:
    try:
        stored = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    mark = _MARK.search(stored)
    return mark is not None and mark[1] == _digest(stored[: mark.start()])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
