"""Reading folders and archives, several at once, into a queue that never holds much."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.source import SIMULATION_FILE
from chestxpert.pixels.archives import DamagedArchiveError, Member, members
from chestxpert.pixels.bodies import Body, stamp
from chestxpert.pixels.ledger import Ledger
from chestxpert.pixels.sources import Container, Names, Place, describe, is_image, printable
from chestxpert.pixels.waiting import Item, Queue


class Feed:
    """Threads that read containers and put what is to be decoded into a queue.

    Parameters
    ----------
    containers : sequence of Container
    numbers : sequence of int
        Those to be read, in this order.
    names : Names
    rows : mapping of str to int
        Row of every image id that is wanted; `names` may know others.
    candidates : mapping of str to sequence of Place
        Files of folders, by image id.
    ledger : Ledger
    """

    def __init__(
        self, containers: Sequence[Container], numbers: Sequence[int], names: Names, rows: Mapping[str, int],
        candidates: Mapping[str, Sequence[Place]], ledger: Ledger,
    ) -> None:  # fmt: skip
        self._containers, self._names, self._rows, self._ledger = containers, names, rows, ledger
        self._candidates = candidates
        self.queue = Queue()
        self.error: Exception | None = None
        self._waiting: Iterator[int] = iter(numbers)
        self._next = threading.Lock()
        self._packed = sum(containers[number].stamp[0] for number in numbers)
        self._read: dict[int, int] = {}
        self._members = 0
        self._threads: list[threading.Thread] = []

    def start(self, threads: int) -> None:
        """Begin to read, this many containers at once."""
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._close, daemon=True).start()

    def _close(self) -> None:
        for thread in self._threads:
            thread.join()
        self.queue.close()

    def stop(self) -> None:
        """End all threads."""
        self.queue.stop()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (number := self._take_next()) is not None:
                folder = self._containers[number].kind == "folder"
                (self._read_folder if folder else self._read_archive)(number)
        except Exception as error:  # whoever decodes raises it: a thread has nobody to tell
            self.error = error
            self.queue.stop()

    def _take_next(self) -> int | None:
        with self._next:
            return next(self._waiting, None)

    def _read_folder(self, number: int) -> None:
        folder = self._containers[number].path
        for image_id, places in self._candidates.items():
            for place in places:
                if place.container == number and image_id in self._rows:
                    path = folder / place.path
                    mark: tuple[int, ...] = ()
                    with suppress(OSError):
                        mark = stamp(path)
                    if not self._offer(image_id, place, lambda path=path: path, mark):  # type: ignore[misc]
                        return
        self._ledger.ended(number, "")

    def _read_archive(self, number: int) -> None:
        archive, damage = self._containers[number], ""
        assert archive.kind != "folder"

        def read(position: int) -> None:
            self._read[number] = position

        try:
            for member in members(archive.path, archive.kind, read):
                if not self._consider(number, member):
                    return
        except DamagedArchiveError as error:
            damage = str(error)
        self._ledger.ended(number, damage)

    def _consider(self, number: int, member: Member) -> bool:
        """Offer, reject or leave aside a member; False if nobody takes images any more."""
        place = Place(number, member.path, member.turn)
        if member.refused:
            detail = f"{describe(place, self._containers)}: {member.refused}"
            return self._list(Reject(name_of(place), "unsafe-member", detail), place)
        if member.path.rpartition("/")[2] == SIMULATION_FILE:
            self._ledger.found_simulation(number)
        body = _Once(member.body)
        if not is_image(member.path, body):
            return True
        ids = self._names.match(f"{self._containers[number].path.as_posix()}/{member.path}")
        if len(ids) == 1:
            return ids[0] not in self._rows or self._offer(ids[0], place, body, ())
        return self._list(stranger(place, ids, self._containers), place)

    def _list(self, reject: Reject, place: Place) -> bool:
        self._ledger.reject(place, reject)
        return True

    def _offer(self, image_id: str, place: Place, body: Callable[[], Body], mark: tuple[int, ...]) -> bool:
        row = self._rows[image_id]
        if not self._ledger.offer(row, place):
            return True
        try:
            item = Item(row, place, body(), mark)
        except DamagedArchiveError:
            self._ledger.withdraw(row, place)
            raise
        if self._containers[place.container].kind != "folder":
            self._members += 1
        return self.queue.put(item)

    def estimate(self, files: int) -> int:
        """How many images there will have been to decode: `files`, and members as far as can be told by now."""
        read = sum(self._read.values())
        return files + round(self._members * max(1.0, self._packed / read) if read else self._members)


def name_of(place: Place) -> str:
    """File name of an image, to be shown."""
    return printable(place.path.replace("\\", "/").rstrip("/").rpartition("/")[2])


def stranger(place: Place, ids: Sequence[str], containers: Sequence[Container]) -> Reject:
    """Reject of an image that belongs to none of the rows, or could belong to several."""
    where = describe(place, containers)
    if ids:
        return Reject(name_of(place), "ambiguous-image", f"{where} could be any of {', '.join(ids[:3])}")
    return Reject(name_of(place), "no-row", where)


class _Once:
    """A member's bytes, read at most once: an archive is not read backwards."""

    def __init__(self, read: Callable[[], Body]) -> None:
        self._read = read
        self._body: Body | None = None

    def __call__(self) -> Body:
        if self._body is None:
            self._body = self._read()
        return self._body
