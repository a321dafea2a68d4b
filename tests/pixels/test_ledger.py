"""Which of several images is used does not depend on when each comes, nor on what was killed in between."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.cohort.rejects import Reject
from chestxpert.pixels.journal import Journal
from chestxpert.pixels.ledger import Ledger
from chestxpert.pixels.outcomes import Picture, Refused
from chestxpert.pixels.sources import Container, Place

PICTURE = Picture(16, 16, 8, "grey", "png")
HEAD = ["job"]


def _containers(count: int) -> list[Container]:
    return [Container(Path(f"/{number}.tar"), "tar", (number, 0)) for number in range(count)]


def _outcome(place: Place) -> Picture | Refused:
    """What becomes of an image: its width says which it was."""
    return Refused("broken") if place.turn == 3 else PICTURE._replace(width=1 + 10 * place.container + place.turn)


class Reader:
    """Reads 'archives' (lists of rows) in an order of its own, and may be killed; what the row then holds is known."""

    def __init__(self, folder: Path, archives: list[list[int]], order: random.Random) -> None:
        self.folder, self.archives, self.order = folder, archives, order
        self.rows: dict[int, Place] = {}  # which image's pixels lie in a row
        self.decoded = 0

    def run(self, steps: int) -> Ledger | None:
        """Go on for so many steps; None if that was not enough."""
        containers = _containers(len(self.archives))
        journal = Journal(self.folder, HEAD)
        ledger = Ledger(containers, journal)
        ledger.go_on(journal.read() or [])
        journal.begin(ledger.records())
        for _ in range(3):
            pending = ledger.pending()
            ledger.begin(pending)
            streams = {number: iter([*enumerate(self.archives[number]), None]) for number in pending}
            at_work: list[tuple[int, Place]] = []
            while streams or at_work:
                steps -= 1
                if steps < 0:
                    return None
                if at_work and (not streams or self.order.random() < 0.4):
                    row, place = at_work.pop(self.order.randrange(len(at_work)))
                    self.rows[row] = place
                    self.decoded += 1
                    ledger.settle(row, place, _outcome(place))
                    if self.order.random() < 0.5:
                        ledger.flush()
                    continue
                number = self.order.choice(list(streams))
                member = next(streams[number])
                if member is None:
                    ledger.ended(number, "")
                    del streams[number]
                elif ledger.offer(member[1], place := Place(number, str(member[0]), member[0])):
                    at_work.append((member[1], place))
            ledger.flush()
        assert not ledger.pending()
        return ledger


@given(
    archives=st.lists(st.lists(st.integers(0, 6), max_size=6), min_size=1, max_size=4),
    kills=st.lists(st.integers(0, 40), max_size=4),
    seed=st.integers(0, 1000),
)
def test_the_first_by_rank_wins_whatever_comes_first(
    archives: list[list[int]], kills: list[int], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reader = Reader(tmp_path_factory.mktemp("ledger"), archives, random.Random(seed))
    ledger = next(done for steps in [*kills, 10_000] if (done := reader.run(steps)) is not None)
    places = [(row, Place(c, str(t), t)) for c, rows in enumerate(archives) for t, row in enumerate(rows)]
    best = {row: min((p for r, p in places if r == row), key=Place.rank) for row, _ in places}
    assert ledger.best() == {row: (best[row], _outcome(best[row])) for row in sorted(best)}
    assert {row: reader.rows[row] for row in best} == best  # and its pixels are those in the row
    assert {place for _, place, _ in ledger.others()} == {place for row, place in places if place != best[row]}


def test_one_image_a_row_is_decoded_once(tmp_path: Path) -> None:
    reader = Reader(tmp_path, [[0, 1, 2], [3, 4], [5]], random.Random(1))
    assert reader.run(10_000) is not None
    assert reader.run(10_000) is not None
    assert reader.decoded == 6


def _ledger(folder: Path, containers: list[Container]) -> tuple[Ledger, Journal]:
    journal = Journal(folder, HEAD)
    ledger = Ledger(containers, journal)
    ledger.go_on(journal.read() or [])
    journal.begin(ledger.records())
    return ledger, journal


def _read_all(ledger: Ledger, number: int, rows: range) -> list[bool]:
    wanted = [ledger.offer(row, Place(number, f"{row}.png", row)) for row in rows]
    for row, one in zip(rows, wanted, strict=True):
        if one:
            ledger.settle(row, Place(number, f"{row}.png", row), PICTURE)
    ledger.ended(number, "")
    ledger.flush()
    return wanted


def test_finished_archives_are_not_read_again_and_changed_ones_are(tmp_path: Path) -> None:
    containers = _containers(2)
    ledger, _ = _ledger(tmp_path, containers)
    _read_all(ledger, 0, range(3))
    ledger, _ = _ledger(tmp_path, containers)
    assert ledger.pending() == [1]
    assert ledger.pictures == 3
    changed = [Container(containers[0].path, "tar", (0, 1)), containers[1]]
    ledger, _ = _ledger(tmp_path, changed)
    assert ledger.pending() == [0, 1]
    assert ledger.pictures == 0


def test_archives_may_be_added_and_put_in_another_order(tmp_path: Path) -> None:
    one, two, three = _containers(3)
    ledger, _ = _ledger(tmp_path, [two])
    _read_all(ledger, 0, range(3))
    ledger, _ = _ledger(tmp_path, [one, two, three])
    assert ledger.pending() == [0, 2]
    assert _read_all(ledger, 0, range(2, 5)) == [False, True, True]
    assert _read_all(ledger, 2, range(5)) == [False] * 5
    assert ledger.pending() == [0]  # it holds the first image of row 2, which was decoded from the other
    ledger.begin([0])
    assert ledger.offer(2, Place(0, "2.png", 2))


def test_an_image_a_process_died_over_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    containers = _containers(1)
    ledger, _ = _ledger(tmp_path, containers)
    place = Place(0, "0.png", 0)
    assert ledger.offer(0, place)
    ledger.settle(0, place, Refused("a process died", certain=False))
    ledger.ended(0, "")
    ledger.flush()
    assert ledger.pending() == []
    ledger, _ = _ledger(tmp_path, containers)
    assert ledger.pending() == [0]
    assert ledger.offer(0, place)


def test_rejects_damage_and_simulations_are_remembered(tmp_path: Path) -> None:
    containers = _containers(2)
    ledger, _ = _ledger(tmp_path, containers)
    reject = Reject("x.png", "no-row", "0.tar/x.png")
    for _ in range(2):
        ledger.reject(Place(0, "x.png", 4), reject)
    ledger.found_simulation(1)
    ledger.ended(0, "it ends too early")
    ledger.ended(1, "")
    ledger.flush()
    for containers_now in (containers, containers[::-1]):
        ledger, _ = _ledger(tmp_path, containers_now)
        number = containers_now.index(containers[0])
        assert ledger.rejects == {Place(number, "x.png", 4): reject}
        assert ledger.damaged == {number: "it ends too early"}
        assert ledger.simulated == {1 - number}
        assert ledger.pending() == []


def test_files_that_changed_or_went_are_decoded_again(tmp_path: Path) -> None:
    folder = Container(tmp_path / "in", "folder", files=("0.png", "1.png", "2.png"))
    folder.path.mkdir()
    for name in folder.files:
        (folder.path / name).write_bytes(b"1")

    def begin() -> Ledger:
        journal = Journal(tmp_path, HEAD)
        ledger = Ledger([folder], journal)
        for row, name in enumerate(folder.files):
            ledger.expect(row, Place(0, name, 0))
        ledger.go_on(journal.read() or [])
        journal.begin(ledger.records())
        return ledger

    ledger = begin()
    assert ledger.pending() == [0]
    assert ledger.missing_files(range(3)) == 3
    for row, name in enumerate(folder.files):
        found = (folder.path / name).stat()
        assert ledger.offer(row, Place(0, name, 0))
        ledger.settle(row, Place(0, name, 0), PICTURE, (found.st_size, found.st_mtime_ns))
    ledger.flush()
    assert begin().pending() == []
    (folder.path / "1.png").write_bytes(b"22")
    (folder.path / "2.png").unlink()
    for _ in range(2):  # once more, from the journal that was written in between
        ledger = begin()
        assert ledger.missing_files(range(3)) == 2
        assert ledger.pending([0]) == []
        assert ledger.pending([1]) == [0]


def test_what_breaks_off_is_as_if_it_had_not_been_there(tmp_path: Path) -> None:
    ledger, _ = _ledger(tmp_path, _containers(2))
    assert ledger.offer(0, Place(0, "0.png", 0))
    ledger.withdraw(0, Place(0, "0.png", 0))
    ledger.ended(0, "it ends within 0.png")
    assert ledger.best() == {}
    assert ledger.offer(0, Place(1, "0.png", 0))


def test_what_cannot_be_met_again_is_given_up(tmp_path: Path) -> None:
    ledger, _ = _ledger(tmp_path, _containers(2))
    assert ledger.offer(0, Place(1, "0.png", 0))
    assert not ledger.offer(0, Place(0, "0.png", 0))
    ledger.settle(0, Place(1, "0.png", 0), PICTURE)
    ledger.give_up([1])
    assert ledger.best()[0] == (Place(0, "0.png", 0), None)
    ledger.give_up([0])
    assert isinstance(ledger.best()[0][1], Refused)
