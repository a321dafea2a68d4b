"""Folders that are made whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chestxpert.errors import DataError

if sys.platform != "win32":
    import fcntl


def check_free(out: Path) -> None:
    """DataError if `out` is anything but absent or an empty folder: a data set is never overwritten."""
    if out.resolve() == Path.cwd():
        raise DataError(f"{out} is the folder you are in, and a data set needs one of its own. Name a new folder.")
    if (out / "dataset.json").exists():
        raise DataError(f"{out} is a finished data set and is not overwritten. Name another folder, or delete it.")
    if out.is_symlink() or out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise DataError(f"{out} exists and is no empty folder. Name another place for the data set.")


@contextmanager
def made_aside(out: Path) -> Iterator[Path]:
    """Give an empty folder beside `out`, renamed to `out` on success and removed on failure.

    Raises
    ------
    DataError
        If it cannot be made or renamed, or another process is at work on the same one.
    """
    aside = out.absolute().with_name(f".{out.name}.partial")
    try:
        aside.mkdir(parents=True, exist_ok=True)
        with locked(aside, f"Another process is preparing {out} right now. Wait for it, or name another folder."):
            empty(aside)  # what a killed run left
            try:
                yield aside
                check_free(out)
                aside.rename(out)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error}. Name a place with room that you may write to.") from error


@contextmanager
def kept_aside(out: Path) -> Iterator[Path]:
    """Give a folder beside `out` that stays when we fail or are killed, so that the next call finds what is in there.

    Raises
    ------
    DataError
        If it cannot be made or written, or another process is at work on the same one.
    """
    aside = out.absolute().with_name(f".{out.name}.partial")
    busy = f"Another process is preparing {out} right now. Wait for it, or name another folder."
    try:
        aside.mkdir(parents=True, exist_ok=True)
        with locked(aside, busy):
            yield aside
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error}. Name a place with room that you may write to.") from error


def publish(folder: Path, out: Path) -> None:
    """Rename a folder to `out` when all of it is on the disk: a reader sees nothing, or everything.

    Raises
    ------
    DataError
        If `out` is in the way.
    """
    for path in [*folder.rglob("*"), folder]:
        _sync(path)
    check_free(out)
    folder.rename(out)
    _sync(out.absolute().parent)


def _sync(path: Path) -> None:
    """See a file, or which files a folder has, on the disk."""
    if sys.platform == "win32" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path, busy: str) -> Iterator[None]:
    """Hold a lock on a folder; DataError(`busy`) if another process does. The system drops it when we end."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DataError(busy) from None
    finally:
        os.close(handle)


def empty(folder: Path) -> None:
    """Delete everything in a folder."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
