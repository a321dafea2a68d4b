"""Ctrl-C waits for a place where it does no harm, and then is what it was."""

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from chestxpert.pixels.interrupts import interrupts_deferred


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_an_interrupt_is_raised_where_it_is_asked_for() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred() as hear:  # noqa: PT012
        hear()
        os.kill(os.getpid(), signal.SIGINT)
        steps.append("went on")
        hear()
        steps.append("not reached")
    assert steps == ["went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_nobody_asked_for_is_raised_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        os.kill(os.getpid(), signal.SIGINT)


def test_another_error_goes_before_it() -> None:
    with pytest.raises(ZeroDivisionError), interrupts_deferred():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_whatever_handler_there_was_is_called() -> None:
    got = []

    def stop(number: int, frame: FrameType | None) -> None:
        got.append(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_deferred() as hear:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert got == []
        hear()
        assert got == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is stop


def test_in_another_thread_nothing_is_changed() -> None:
    handlers = []

    def work() -> None:
        with interrupts_deferred() as hear:
            hear()
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
