"""Parts of a comparison done in processes of their own: the same figures, the same errors, and no process is left."""

import operator
import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.each import one_by_one
from chestxpert.evaluation.threshold_rules import ThresholdRule
from chestxpert.processes import available_cores
from chestxpert.study.pool import MOST, Pool, shared_out, useful_processes


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(2) as two:
        yield two


def pause(_: None, seconds: float) -> float:
    """For a process that works on a part."""
    time.sleep(seconds)
    return seconds


def process(_: None, __: int) -> int:
    return os.getpid()


def shape(draws: PatientDraws, _: int) -> tuple[int, ...]:
    return draws.weights[0][1].shape


def test_results_come_in_the_order_of_the_parts(pool: Pool) -> None:
    assert list(pool.each(pause, None, [0.3, 0.0, 0.1])) == [0.3, 0.0, 0.1]
    assert list(pool.each(operator.mul, 3, range(6))) == list(one_by_one(operator.mul, 3, range(6)))
    assert list(pool.each(operator.mul, "a", range(3))) == ["", "a", "aa"]


def test_parts_may_share_what_is_large(pool: Pool) -> None:
    draws = PatientDraws.draw([f"p{k}" for k in range(30)], 7, seed=0)
    draws.weights  # noqa: B018 (what is made of them stays here)
    assert set(pool.each(shape, draws, range(4))) == {(30, 7)}


def test_begun_work_goes_on_while_nobody_asks(pool: Pool) -> None:
    slow, fast = pool.each(pause, None, [0.1]), pool.each(operator.add, 1, [1])
    assert (next(fast), next(slow)) == (2, 0.1)


def test_an_error_for_people_arrives_as_it_was(pool: Pool) -> None:
    with pytest.raises(UsageError, match="Did you mean 'youden'"):
        list(pool.each(ThresholdRule, "youdn", [None]))


def test_any_other_error_tells_where_it_was_raised(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*_answer.*ZeroDivisionError"):
        list(pool.each(operator.truediv, 1, [0]))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_process_that_is_killed_is_told(pool: Pool) -> None:
    with pytest.raises(RunError, match=r"killed by SIGKILL.*--workers 1"):
        list(pool.each(os.kill, 0, [signal.SIGKILL]))  # 0: the process and whatever it has started


def test_an_interrupt_ends_processes_amid_their_work() -> None:
    processes: list[int] = []

    def interrupted() -> None:
        with Pool(2) as pool:
            processes.extend(pool.each(process, None, [1]))
            pool.each(pause, None, [600.0] * 5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (number,) = processes
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_one_process_is_this_one() -> None:
    with shared_out(1) as each:
        assert list(each(lambda here, part: here + part, 1, [2])) == [3]
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {1}


def test_little_is_not_worth_a_process() -> None:
    assert useful_processes(8, 1000, 2000) == 1
    assert useful_processes(100, 25_596, 2000) == min(available_cores(), MOST)
    assert useful_processes(1, 1, 1) == 1
