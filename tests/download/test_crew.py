import threading
import time
from functools import partial

import pytest

from chestxpert.download.crew import Line, Stopped, at_once


def test_results_stand_in_the_order_of_the_jobs() -> None:
    def job(number: int, line: Line) -> int:
        time.sleep(0.002 * (7 - number))
        return number

    jobs = [partial(job, number) for number in range(8)]
    assert at_once(jobs, 3, lambda count: None, print) == list(range(8))
    assert at_once([], 3, lambda count: None, print) == []


def test_what_jobs_tell_is_told_in_the_waiting_thread() -> None:
    told: list[tuple[object, threading.Thread]] = []

    def job(line: Line) -> None:
        line.done(3)
        line.note("well")
        line.done(-1)

    at_once([job] * 4, 2, *[lambda item: told.append((item, threading.current_thread()))] * 2)
    assert sorted(str(item) for item, _ in told) == sorted(["3", "well", "-1"] * 4)
    assert {thread for _, thread in told} == {threading.current_thread()}


def test_a_failure_stops_the_others_and_is_raised() -> None:
    ended: list[str] = []

    def long(line: Line) -> None:
        try:
            while True:
                line.go_on_or_stop()
                time.sleep(0.002)
        except Stopped:
            ended.append("long")
            raise

    def bad(line: Line) -> None:
        raise ZeroDivisionError

    def never(line: Line) -> None:
        ended.append("never")

    with pytest.raises(ZeroDivisionError):
        at_once([long, bad, never, never], 2, lambda count: None, print)
    assert ended == ["long"]


def test_a_job_that_hangs_is_left_behind() -> None:
    """It would keep Ctrl-C waiting until its read times out."""
    over = threading.Event()
    lines: list[Line] = []

    def hanging(line: Line) -> None:
        lines.append(line)
        line.note("begun")
        over.wait(60)

    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at_once([hanging], 1, lambda count: None, interrupt)
    with pytest.raises(Stopped):
        lines[0].go_on_or_stop()
    over.set()
