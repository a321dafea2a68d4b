"""How long a download waits, and how often it tries."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Bounds of trying again; all times in seconds.

    Parameters
    ----------
    tries : int
        Tries in a row that bring nothing worth mentioning before a file is given up. One that brings a thousandth of
        the file or more starts the count anew: a bad line needs many cuts for four gigabytes.
    unheard : int
        The same for a server that has not answered once, where more likely there is no way to it at all.
    anew : int
        How often a file that came whole but wrong is fetched again from the beginning.
    first, ceiling : float
        Pause after the first failure, doubled after each further one, and its upper bound.
    longest : float
        Upper bound of a pause that the server asks for (Retry-After).
    connect, stall : float
        How long to wait for a connection, and for the next bytes on one.
    wait : callable
        Waits for (an event, at most so many seconds); the event is that everything shall end.
    """

    tries: int = 8
    unheard: int = 3
    anew: int = 2
    first: float = 1.0
    ceiling: float = 60.0
    longest: float = 300.0
    connect: float = 10.0
    stall: float = 30.0
    wait: Callable[[threading.Event, float], object] = threading.Event.wait

    def pause(self, failures: int, rng: random.Random, asked: float | None = None) -> float:
        """Seconds to wait after the `failures`-th failure in a row.

        Between half and all of an exponentially growing time, so that several downloads that were cut at one moment
        do not all come back at one moment; at least what the server asked for, within `longest`.
        """
        backoff = min(self.ceiling, self.first * 2.0 ** min(failures - 1, 60)) * rng.uniform(0.5, 1.0)
        return backoff if asked is None else max(backoff, min(max(asked, 0.0), self.longest))
