"""What is in the folder already: files that are right are kept, others give up their names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from chestxpert.download.catalogue import RemoteFile
from chestxpert.download.crew import Line, at_once
from chestxpert.download.part import Origin, Part
from chestxpert.download.verify import Verdict, verify
from chestxpert.progress import BYTES, Progress, size_text


def verify_present(
    files: Sequence[RemoteFile], folder: Path, workers: int, progress: Progress
) -> dict[RemoteFile, Verdict]:
    """Verdicts over the files that are there and right; what is there and wrong gives up its name."""
    there = [(file, path) for file in files if (path := file.find(folder)) is not None]
    if not there:
        return {}
    with progress.bar("verifying", sum(file.size for file, _ in there), BYTES) as tick:
        verdicts = at_once([partial(_verify_one, file, path) for file, path in there], workers, tick, progress.note)
    right = {}
    for (file, path), verdict in zip(there, verdicts, strict=True):
        if verdict.problem:
            progress.note(f"{path.name} was there, but {verdict.problem}. {_give_way(file, path)}")
        else:
            right[file] = verdict
    return right


def _verify_one(file: RemoteFile, path: Path, line: Line) -> Verdict:
    def done(count: int) -> None:
        line.go_on_or_stop()
        line.done(count)

    return verify(file, path, done)


def _give_way(file: RemoteFile, path: Path) -> str:
    """Take its name from a file that is wrong; returns what was done with it, as a sentence.

    An archive that is too short is most likely what another program had fetched of it. A label file may be somebody's
    own work.
    """
    if not file.is_archive:
        kept = _free_name(path)
        path.rename(kept)
        return f"It is kept as {kept.name}."
    part = Part(path.with_name(file.name))
    size = path.stat().st_size
    if part.stored_size(file.urls) < size < file.size:
        part.adopt(path, Origin(file.urls[0], total=file.size))
        return f"It is taken as the first {size_text(size)} of {size_text(file.size)}."
    path.unlink()
    return "It is fetched anew."


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.wrong{number or ''}") for number in range(1000))
    return next(name for name in names if not name.exists())
