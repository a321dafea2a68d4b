"""Ctrl-C that is heard only where it does no harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_deferred() -> Iterator[Callable[[], None]]:
    """Context in which SIGINT and SIGTERM wait until the function it gives is called, or the context ends.

    Python raises KeyboardInterrupt between any two instructions of the main thread. Within the locks that threads share
    that leaves one locked for ever, or released twice. What the handlers do is otherwise as it was; signals that are
    ignored, or end the process without asking Python, stay so.
    """
    if threading.current_thread() is not threading.main_thread():  # to which alone signals come
        yield lambda: None
        return
    waiting: list[tuple[int, FrameType | None]] = []

    def hear() -> None:
        if waiting:
            number, frame = waiting.pop()
            before[number](number, frame)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if callable(handler):
            before[int(number)] = handler
            signal.signal(number, lambda *arguments: waiting.append(arguments))
    try:
        yield hear
    finally:
        for ours, handler in before.items():
            signal.signal(ours, handler)
    hear()
