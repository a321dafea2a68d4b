"""The whole download: look what is there, check the disk, fetch what is missing, several files at once."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from chestxpert.download.catalogue import RemoteFile, choose
from chestxpert.download.crew import Line, at_once
from chestxpert.download.fetch import Fetcher, GivenUp
from chestxpert.download.part import Part
from chestxpert.download.present import verify_present
from chestxpert.download.report import Failure, Report, failure_text
from chestxpert.download.verify import Verdict
from chestxpert.download.waiting import Patience
from chestxpert.errors import DownloadError
from chestxpert.files import removed_if_left_empty
from chestxpert.folders import locked
from chestxpert.progress import BYTES, SILENT, Progress, size_text

WORKERS = 3


def download(
    folder: Path | str,
    *,
    only: str | None = None,
    archives: Iterable[int] | None = None,
    mirror: str | None = None,
    workers: int = WORKERS,
    progress: Progress = SILENT,
) -> Report:
    """Have ChestX-ray14, or the part of it that is asked for, in a folder, every file verified.

    What is there already is verified and not fetched again; what is there in part is gone on with. A file has its own
    name only when it is whole and right.

    Parameters
    ----------
    folder : Path or str
        Made if it is missing.
    only : {"labels", "images"}, optional
        Leave the others out.
    archives : iterable of int, optional
        Numbers of archives, from 1 to 12; all if not given.
    mirror : str, optional
        URL below which all files are looked for by their names, instead of where NIH keeps them.
    workers : int
        How many files are fetched, or verified, at once.
    progress : Progress
        Where progress is told, in bytes.

    Returns
    -------
    Report
        What is there now.

    Raises
    ------
    UsageError
        If the wishes contradict each other.
    DataError
        If another process downloads to the same folder.
    DownloadError
        If the disk has no room, or a file cannot be had; the others are fetched all the same.
    """
    return fetch_all(choose(only, archives, mirror), Path(folder), workers=workers, progress=progress)


def fetch_all(
    files: Sequence[RemoteFile],
    folder: Path,
    *,
    workers: int = WORKERS,
    progress: Progress = SILENT,
    patience: Patience | None = None,
    rng: random.Random | None = None,
) -> Report:
    """Like `download`, for any files; `patience` and `rng` say how often, and after which pauses, it tries again."""
    if folder.exists() and not folder.is_dir():
        raise DownloadError(f"{folder} is a file, and the download needs a folder. Name another place.")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"Another process is downloading to {folder} right now. Wait for it, or name another folder."
    with removed_if_left_empty(folder) if made else nullcontext(), locked(folder, busy):
        right = verify_present(files, folder, workers, progress)
        missing = [file for file in files if file not in right]
        _check_room(missing, folder)
        with Fetcher(folder, patience or Patience(), rng or random.Random()) as fetcher:
            outcomes = _fetch_missing(missing, folder, fetcher, workers, progress)
        report = Report(folder, right, {file: end for file, end in outcomes.items() if isinstance(end, Verdict)})
        if failures := [end for end in outcomes.values() if isinstance(end, Failure)]:
            raise DownloadError(failure_text(report, failures))
        return report


def _check_room(missing: Sequence[RemoteFile], folder: Path) -> None:
    needed = sum(max(0, file.size - Part(folder / file.name).stored_size(file.urls)) for file in missing)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{folder} has {size_text(free)} free, and {size_text(needed)} are still to be fetched "
            f"({len(missing)} files). Make {size_text(needed - free)} more room, name a folder on a larger disk, or "
            "ask for less, such as --archives 1-3."
        )


def _fetch_missing(
    missing: Sequence[RemoteFile], folder: Path, fetcher: Fetcher, workers: int, progress: Progress
) -> dict[RemoteFile, Verdict | Failure]:
    if not missing:
        return {}
    before = sum(Part(folder / file.name).stored_size(file.urls) for file in missing)
    with progress.bar("fetching", sum(file.size for file in missing), BYTES, before=before) as tick:
        jobs = [partial(_fetch_one, fetcher, file) for file in missing]
        return dict(zip(missing, at_once(jobs, workers, tick, progress.note), strict=True))


def _fetch_one(fetcher: Fetcher, file: RemoteFile, line: Line) -> Verdict | Failure:
    try:
        return fetcher.fetch(file, line)
    except GivenUp as given_up:
        return Failure(file, str(given_up), given_up.advice)
