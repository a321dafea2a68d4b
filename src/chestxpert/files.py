"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from chestxpert.errors import RunError


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


@contextlib.contextmanager
def removed_if_left_empty(folder: Path) -> Iterator[None]:
    """Context around work on a new folder: if it fails before anything is in there, no empty folder stays behind."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # not empty, or gone
            folder.rmdir()
        raise


@contextlib.contextmanager
def taken_back_if_it_fails(*paths: Path) -> Iterator[None]:
    """Context around work that makes new files or folders: if it fails, they are deleted, and a folder left empty."""
    try:
        yield
    except BaseException:
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty, or gone
                path.parent.rmdir()
        raise


def sweep_parts(folder: Path) -> None:
    """Delete what killed processes left of files that never became whole, at any depth below `folder`.

    Those that a living process is still writing stay: their names end in its number.
    """
    for part in folder.rglob(".*.part"):
        number = part.suffixes[-2].removeprefix(".") if len(part.suffixes) > 1 else ""
        if number.isdigit() and not _is_alive(int(number)):
            part.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 asks, and does nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_json(path: Path, values: Any) -> None:
    """Write strict JSON (NaN is an error here, not a file that other readers refuse), whole or not at all."""
    with replace_when_whole(path) as aside:
        aside.write_text(json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with replace_when_whole(path) as aside:
        aside.write_text(text, encoding="utf-8")


def begin_or_go_on(out: Path, marker: str, before: Collection[str], *, resume: bool, resumable: bool = True) -> bool:
    """Decide what to do with a result folder: begin in it, or go on with what it holds.

    Parameters
    ----------
    out : folder; made if it is not there
    marker : name of the file that is written when the folder's beginning is whole
    before : names of the files written before it
    resume : whether going on is asked for
    resumable : whether it can be asked for, which an error then says

    Returns
    -------
    bool
        True if `out` holds a beginning to go on from.

    Raises
    ------
    RunError
        If `out` is in the way: results are never overwritten.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not resume:
            or_else = ", or add --resume" if resumable else ""
            raise RunError(f"{out} exists already and is never overwritten. Choose another --out{or_else}.")
        if out.is_dir() and (out / marker).is_file():
            return True
        # A kill between the first files leaves these and parts of files; anything else is not ours.
        if not out.is_dir() or any(path.name not in before and path.suffix != ".part" for path in out.iterdir()):
            raise RunError(f"{out} holds nothing that could be resumed: it has no {marker}. Choose another --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out} cannot be made: {error}. Name a place that you may write to.") from error
    return False
