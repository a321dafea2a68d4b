"""Which images were found where, which of one name is used, and what became of it; kept in a journal."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chestxpert.cohort.rejects import Reject
from chestxpert.pixels.bodies import stamp
from chestxpert.pixels.journal import Journal, Record
from chestxpert.pixels.outcomes import Outcome, Picture, Refused
from chestxpert.pixels.sources import Container, Place


class Ledger:
    """Rows, the images that could fill them, and what is done. Its methods may be called from any thread.

    Of several images of one row that of the least rank is used, whichever comes first: images come from several
    archives at once, so a row may be decoded from one before a better one is met. The better one is then only noted,
    its archive counts as unfinished, and is read once more.

    Parameters
    ----------
    containers : sequence of Container
        Places are numbered by it.
    journal : Journal
        Where it is written down.
    """

    def __init__(self, containers: Sequence[Container], journal: Journal) -> None:
        self._containers, self._journal = containers, journal
        self._lock = threading.Lock()
        self._known: dict[int, dict[Place, Outcome | None]] = {}
        self._marks: dict[Place, Sequence[int]] = {}
        self._ended: dict[int, str] = {}
        self._streamed: dict[int, str] = {}
        self._at_work: Counter[int] = Counter()
        self._uncertain: set[int] = set()
        self.rejects: dict[Place, Reject] = {}
        self.simulated: set[int] = set()

    def expect(self, row: int, place: Place) -> None:
        """Note a file that was found before anything is decoded."""
        self._known.setdefault(row, {}).setdefault(place)

    def offer(self, row: int, place: Place) -> bool:
        """Note an image; True if it is to be decoded now."""
        with self._lock:
            known = self._known.setdefault(row, {})
            if place in known:
                wanted = known[place] is None and place == _best(known)
            else:
                known[place] = None
                wanted = len(known) == 1
                if not wanted:
                    self._journal.add("image", *place, row, None)
            self._at_work[place.container] += wanted
            return wanted

    def withdraw(self, row: int, place: Place) -> None:
        """Forget an image that was to be decoded, because its archive breaks off within it."""
        with self._lock:
            del self._known[row][place]
            if not self._known[row]:
                del self._known[row]
            self._at_work[place.container] -= 1

    def settle(self, row: int, place: Place, outcome: Outcome, mark: Sequence[int] = ()) -> None:
        """Note what became of an image that was to be decoded; `mark` is the stamp of a file (`bodies.stamp`)."""
        with self._lock:
            self._known[row][place] = outcome
            if isinstance(outcome, Refused) and not outcome.certain:
                self._uncertain.add(place.container)
            else:
                self._journal.add("image", *place, row, [*outcome], *mark)
            self._at_work[place.container] -= 1
            self._end_if_done(place.container)

    def reject(self, place: Place, reject: Reject) -> None:
        """Note a member of an archive that is left out without being decoded."""
        with self._lock:
            if place not in self.rejects:
                self.rejects[place] = reject
                self._journal.add("reject", *place, reject.image_id, reject.reason, reject.detail)

    def found_simulation(self, container: int) -> None:
        """Note that an archive says that its images are simulated."""
        with self._lock:
            self.simulated.add(container)
            self._journal.add("simulated", container)

    def ended(self, container: int, damage: str) -> None:
        """Note that all there is in an archive has been offered; `damage` says why that is not all of it, or is ""."""
        with self._lock:
            self._streamed[container] = damage
            self._end_if_done(container)

    def _end_if_done(self, container: int) -> None:
        if container in self._streamed and not self._at_work[container]:
            self._ended[container] = self._streamed[container]
            if container not in self._uncertain and self._containers[container].kind != "folder":
                self._journal.add("ended", container, self._streamed[container])

    def flush(self) -> None:
        """Write the journal. Call it when the pixels of all that was settled are on the disk."""
        with self._lock:
            self._journal.flush()

    @property
    def damaged(self) -> dict[int, str]:
        """Archives that could not be read to their end, and why."""
        return {number: damage for number, damage in sorted(self._ended.items()) if damage}

    def pending(self, wanted: Iterable[int] | None = None) -> list[int]:
        """Containers to be read: archives not read to their end, and those that hold a row's best image, not decoded.

        Parameters
        ----------
        wanted : iterable of int, optional
            Rows that matter; all if None.
        """
        rows = self._known.keys() if wanted is None else self._known.keys() & set(wanted)
        numbers = {place.container for place in self._missing(rows)}
        archives = {n for n, c in enumerate(self._containers) if c.kind != "folder" and n not in self._ended}
        return sorted(numbers | archives)

    def _missing(self, rows: Iterable[int]) -> Iterator[Place]:
        for row in rows:
            known = self._known[row]
            best = _best(known)
            if known[best] is None:
                yield best

    def missing_files(self, rows: Iterable[int]) -> int:
        """How many of some rows are still to be decoded from files of folders."""
        places = self._missing(self._known.keys() & set(rows))
        return sum(self._containers[place.container].kind == "folder" for place in places)

    def give_up(self, rows: Iterable[int]) -> None:
        """Settle what was noted but was not met again: its archive is not what it was."""
        for place in list(self._missing(self._known.keys() & set(rows))):
            known = next(known for known in self._known.values() if place in known)
            known[place] = Refused("it is gone", certain=False)

    def begin(self, containers: Iterable[int]) -> None:
        """Note that these are about to be read, perhaps once more."""
        for number in containers:
            self._streamed.pop(number, None)

    def best(self) -> dict[int, tuple[Place, Outcome | None]]:
        """For every row with an image, in order: which is used, and what became of it."""
        best = ((row, _best(known)) for row, known in sorted(self._known.items()))
        return {row: (place, self._known[row][place]) for row, place in best}

    def others(self) -> Iterator[tuple[int, Place, Place]]:
        """Row and place of every image that is not used, and the place of the one that is."""
        for row, known in sorted(self._known.items()):
            best = _best(known)
            yield from ((row, place, best) for place in sorted(known, key=Place.rank) if place != best)

    @property
    def pictures(self) -> int:
        """Images that are decoded."""
        return sum(isinstance(outcome, Picture) for known in self._known.values() for outcome in known.values())

    def go_on(self, records: Iterable[Record]) -> None:
        """Take over the records of an earlier run that still hold: whose archives and files have not changed."""
        numbers: dict[int, int] = {}
        for kind, *values in records:
            if kind == "container":
                self._same_container(numbers, *values)
            elif values[0] in numbers:
                self._take_over(kind, numbers[values[0]], *values[1:])

    def _same_container(self, numbers: dict[int, int], number: int, path: str, size: int, time: int) -> None:
        for now, container in enumerate(self._containers):
            if str(container.path) == path and container.stamp == (size, time):
                numbers[number] = now

    def _take_over(self, kind: str, container: int, *values: Any) -> None:
        if kind == "ended":
            self._ended[container] = values[0]
            return
        if kind == "simulated":
            self.simulated.add(container)
            return
        place = Place(container, values[0], values[1])
        if kind == "reject":
            self.rejects[place] = Reject(*values[2:])
            return
        row, outcome, *mark = values[2:]
        if self._containers[container].kind == "folder":
            file = self._containers[container].path / place.path
            if place not in self._known.get(row, {}) or not _is_same(file, mark):
                return
            self._marks[place] = mark
        known = self._known.setdefault(row, {})
        if outcome is not None or place not in known:
            known[place] = _outcome(outcome)

    def records(self) -> Iterator[Record]:
        """Everything that is known, as `go_on` reads it."""
        for number, container in enumerate(self._containers):
            yield ["container", number, str(container.path), *container.stamp]
        for row, known in self._known.items():
            for place, outcome in known.items():
                if outcome is not None or self._containers[place.container].kind != "folder":
                    mark = self._marks.get(place, ())
                    yield ["image", *place, row, None if outcome is None else [*outcome], *mark]
        for place, reject in self.rejects.items():
            yield ["reject", *place, reject.image_id, reject.reason, reject.detail]
        yield from (["simulated", number] for number in sorted(self.simulated))
        yield from (["ended", number, damage] for number, damage in self._ended.items())


def _outcome(values: Sequence[Any] | None) -> Outcome | None:
    if values is None:
        return None
    return Picture(*values) if len(values) == len(Picture._fields) else Refused(*values)


def is_picture(record: Record) -> bool:
    """Whether a record of the journal is that of an image that is decoded."""
    kind, *values = record
    return bool(kind == "image" and values[4] and len(values[4]) == len(Picture._fields))


def _best(known: Mapping[Place, Any]) -> Place:
    return next(iter(known)) if len(known) == 1 else min(known, key=Place.rank)


def _is_same(path: Path, mark: Sequence[int]) -> bool:
    """Whether a file is as it was."""
    try:
        return [*stamp(path)] == [*mark]
    except OSError:
        return False
