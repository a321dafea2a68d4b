"""Decoding all images of some folders and archives, going on where an earlier run was stopped."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chestxpert import __version__
from chestxpert.cohort.rejects import Reject
from chestxpert.errors import DataError
from chestxpert.folders import empty
from chestxpert.pixels import packing
from chestxpert.pixels.feed import Feed, stranger
from chestxpert.pixels.interrupts import interrupts_deferred
from chestxpert.pixels.journal import Journal, read_records
from chestxpert.pixels.ledger import Ledger, is_picture
from chestxpert.pixels.manifest import PIXELS, check_room, write_manifest
from chestxpert.pixels.outcomes import Picture, Refused
from chestxpert.pixels.pool import Done, Progress, decode_here, decode_in_processes
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.sources import Container, Names, Place, Survey, describe
from chestxpert.pixels.worker import wait_for_workers
from chestxpert.processes import available_cores

DATA = "data"
"""Folder that becomes the dataset folder; what only matters until then lies beside it."""

_POOL_FROM = 200  # fewer images are decoded sooner here than processes start
_IMAGE_BYTES = 100_000  # at least, in an archive: to tell few images from many
_FLUSH_SECONDS = 2.0  # work that a kill may cost
_MOST_PASSES = 3


@dataclass(frozen=True)
class Job:
    """Images to decode.

    Parameters
    ----------
    containers : sequence of Container
        Where they are.
    names : Names
        Knows the id of an image file; also those of rows that are not used, which are left aside.
    rows : mapping of str to int
        Row of every image id that can be used, from 0 on.
    survey : Survey
        Files of the folders (`chestxpert.pixels.sources.survey_files`).
    preprocess : Preprocess
        What is done to each.
    about : str
        What else decides which image belongs to which row. An unfinished job that differs in this, in `rows` or in
        `preprocess` is another job.
    """

    containers: Sequence[Container]
    names: Names
    rows: Mapping[str, int]
    survey: Survey
    preprocess: Preprocess
    about: str = ""

    @property
    def streamed(self) -> bool:
        """Whether it is known only after decoding which images there are."""
        return any(container.kind != "folder" for container in self.containers)

    def strangers(self) -> dict[Place, Reject]:
        """Files of folders that belong to no row, or could belong to several."""
        return {place: stranger(place, ids, self.containers) for place, ids in self.survey.strangers}

    def head(self) -> list[object]:
        """First line of its journal."""
        ids = hashlib.sha256("\x1f".join([self.about, *self.rows]).encode("utf-8", "surrogateescape")).hexdigest()
        return ["job", 1, __version__, self.preprocess.to_dict(), ids]


class Build:
    """A job, and how far it has come.

    Parameters
    ----------
    job : Job
    aside : Path
        Existing folder of its own. What an earlier run of the same job left there is gone on with; what is left of
        another is deleted.

    Attributes
    ----------
    taken_over : int
        Images that an earlier run had decoded.
    begun_anew : bool
        Whether what an earlier run left was of no use.

    Raises
    ------
    StoreError
        If the disk is too small.
    """

    def __init__(self, job: Job, aside: Path) -> None:
        self.job, self.aside, self.folder = job, aside, aside / DATA
        self._pixels = self.folder / PIXELS
        self._journal = Journal(aside, job.head())
        records = self._journal.read() if self._pixels.exists() else None
        self.ledger = self._ledger(records or [])
        if records is not None and packing.was_begun(aside) and self.ledger.pending():
            records, self.ledger = None, self._ledger([])  # rows have moved, so nothing can be added to them
        self.begun_anew = records is None and any(aside.iterdir())
        self.taken_over = self.ledger.pictures
        if records is None:
            empty(aside)
            self.folder.mkdir()
            self._pixels.touch()
        size = job.preprocess.size
        check_room(self.folder, len(job.survey.candidates.keys() & job.rows.keys()) - self.taken_over, size)
        wait_for_workers(self._pixels)
        os.truncate(self._pixels, len(job.rows) * size * size)  # rows that are never written take no room
        self._journal.begin(self.ledger.records())

    def _ledger(self, records: Iterable[list[object]]) -> Ledger:
        ledger = Ledger(self.job.containers, self._journal)
        for image_id, places in self.job.survey.candidates.items():
            for place in places if image_id in self.job.rows else ():
                ledger.expect(self.job.rows[image_id], place)
        ledger.go_on(records)
        return ledger

    def decode(
        self, wanted: Collection[str] | None = None, workers: int | None = None, progress: Progress | None = None
    ) -> None:
        """Decode every image that is not decoded yet.

        Parameters
        ----------
        wanted : collection of str, optional
            Image ids that matter; all if None.
        workers : int, optional
            Processes; all cores if None. Few images are decoded without any.
        progress : callable, optional
            See `chestxpert.pixels.pool.Progress`.

        Raises
        ------
        DataError
            If a disk fails while an archive is read.
        StoreError
            If processes die again and again, or the pixel file cannot be written.
        """
        rows = {name: row for name, row in self.job.rows.items() if wanted is None or name in wanted}
        for _ in range(_MOST_PASSES):
            if not (pending := self.ledger.pending(rows.values())):
                break
            self._read(pending, rows, workers or available_cores(), progress)
        self.ledger.give_up(rows.values())

    def _read(self, pending: list[int], rows: Mapping[str, int], workers: int, progress: Progress | None) -> None:
        """Read some containers and decode what they hold."""
        self.ledger.begin(pending)
        feed = Feed(self.job.containers, pending, self.job.names, rows, self.job.survey.candidates, self.ledger)
        files = self.ledger.missing_files(rows.values())
        packed = sum(self.job.containers[number].stamp[0] for number in pending)
        few = files + packed // _IMAGE_BYTES < _POOL_FROM
        arguments = (feed.queue, self._pixels, self.job.preprocess)
        done = 0
        with interrupts_deferred() as hear_interrupts:
            feed.start(max(1, min(len(pending), 2 + workers // 8)))
            try:
                with closing(decode_here(*arguments) if few else decode_in_processes(*arguments, workers)) as outcomes:
                    for count in self._settle(outcomes):
                        hear_interrupts()
                        done += count
                        if progress is not None and count:
                            progress(done, max(done, min(feed.estimate(files), len(rows))))
            finally:
                feed.stop()
                self._flush()
        if feed.error is not None:
            raise DataError(f"The images cannot be read: {feed.error}. Is the disk in order?") from feed.error

    def _settle(self, outcomes: Iterable[Done]) -> Iterator[int]:
        """Note all outcomes, and now and then write them down; gives the number of images each time."""
        written = time.monotonic()
        for items, results in outcomes:
            for item, outcome in zip(items, results, strict=True):
                self.ledger.settle(item.row, item.place, outcome, item.mark)
            if time.monotonic() - written > _FLUSH_SECONDS:
                self._flush()
                written = time.monotonic()
            yield len(items)

    def _flush(self) -> None:
        """Pixels first: an image that is in the journal has its pixels on the disk, even after a power cut."""
        with self._pixels.open("r+b") as file:
            os.fsync(file.fileno())
        self.ledger.flush()

    def found(self) -> set[str]:
        """Image ids that have an image, whether or not it could be decoded."""
        best = self.ledger.best()
        return {name for name, row in self.job.rows.items() if row in best}

    def refused(self, wanted: Collection[str]) -> dict[str, str]:
        """Of the ids that are wanted, those whose image cannot be decoded, and why."""
        best, why = self.ledger.best(), {}
        for name, row in self.job.rows.items():
            place, outcome = best.get(row, (None, None))
            if place is not None and isinstance(outcome, Refused) and name in wanted:
                container = self.job.containers[place.container]
                folder = container.kind == "folder"
                where = str(container.path / place.path) if folder else describe(place, self.job.containers)
                why[name] = outcome.about(where)
        return why

    def rejects(self) -> list[Reject]:
        """Image files that are not used, in the order of their places; then archives that are not whole."""
        containers, ids = self.job.containers, list(self.job.rows)
        rejects = self.ledger.rejects | self.job.strangers()
        for row, place, used in self.ledger.others():
            detail = f"{describe(place, containers)}; {describe(used, containers)} is used"
            rejects[place] = Reject(ids[row], "duplicate-image", detail)
        damaged = [Reject(containers[n].path.name, "damaged-archive", why) for n, why in self.ledger.damaged.items()]
        return [*(rejects[place] for place in sorted(rejects, key=Place.rank)), *damaged]

    def finish(self, keep: Sequence[str], source: str) -> Path:
        """Make the store of the images to keep, in the order of their rows; returns its folder.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        best = self.ledger.best()
        rows = sorted(self.job.rows[name] for name in keep)
        ids = list(self.job.rows)
        pictures = [best[row][1] for row in rows]
        size = self.job.preprocess.size
        packing.pack(self._pixels, np.array(rows, dtype=np.int64), size * size, self.aside)
        index = pd.DataFrame(pictures, columns=list(Picture._fields))
        index.insert(0, "image_id", [ids[row] for row in rows])
        write_manifest(self.folder, index, self.job.preprocess, source)
        return self.folder


def has_pictures(aside: Path) -> bool:
    """Whether a folder holds images that an earlier run decoded."""
    return any(is_picture(record) for record in read_records(aside))
