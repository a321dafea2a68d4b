"""One file, from one of its places, however often the line is cut: tried again with growing pauses, then verified."""

from __future__ import annotations

import errno
import random
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from chestxpert import __version__
from chestxpert.download.answers import Again, Never
from chestxpert.download.catalogue import NIH_PAGE, RemoteFile
from chestxpert.download.crew import Line
from chestxpert.download.part import Part
from chestxpert.download.transfer import attempt
from chestxpert.download.verify import Verdict, judge
from chestxpert.download.waiting import Patience
from chestxpert.errors import DownloadError

_NOTICEABLE = 1000
"""A try that brings less than this part of a file counts as one that brought nothing."""

_CHECK_LINE = (
    "Check the connection, and HTTPS_PROXY if a proxy leads out of your network, or name another place that has the "
    "files with --mirror URL."
)
_ELSEWHERE = f"Look at {NIH_PAGE} whether the files have moved; --mirror URL names another place that has them."
_LATER = "Run the same command later. --mirror URL names another place that has the files."
_MAKE_ROOM = "Make room, and run the same command again."


class GivenUp(Exception):  # noqa: N818 - told to the user together with what became of the other files
    """A file could not be had.

    Parameters
    ----------
    problem : str
        Why, as a clause.
    advice : str
        What to do, one sentence or two each.
    """

    def __init__(self, problem: str, *advice: str) -> None:
        super().__init__(problem)
        self.advice = advice


class Fetcher:
    """Fetches files, in several threads at once if need be; a context that closes its connections at the end.

    Parameters
    ----------
    folder : Path
        Where the files go.
    patience : Patience
        How often and how long to try.
    rng : random.Random
        Draws the pauses.
    """

    def __init__(self, folder: Path, patience: Patience, rng: random.Random) -> None:
        self._folder, self._patience, self._rng = folder, patience, rng
        self._heard: set[str] = set()
        self._unreachable: dict[str, str] = {}
        self._client = _client(patience, self._heard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def fetch(self, file: RemoteFile, line: Line) -> Verdict:
        """Have `file` whole and right in the folder afterwards.

        Raises
        ------
        GivenUp
            If it cannot be had. What has come of it stays, to be gone on from.
        Stopped
            If the line says so.
        """
        part = Part(self._folder / file.name)
        problems: list[GivenUp] = []
        try:
            for url in sorted(file.urls, key=lambda url: part.stored_size((url,)) == 0):  # where it was begun first
                try:
                    return self._from(url, file, part, line)
                except GivenUp as given_up:
                    problems.append(given_up)
        except OSError as error:
            raise _unwritable(error, self._folder) from error
        raise GivenUp("; ".join(map(str, problems)), *(text for problem in problems for text in problem.advice))

    def _from(self, url: str, file: RemoteFile, part: Part, line: Line) -> Verdict:
        counted = part.stored_size(file.urls)
        part.take_up(url, lambda done: line.go_on_or_stop())
        line.done(part.size - counted)
        verdict = Verdict()
        for _ in range(1 + self._patience.anew):
            self._complete(url, file, part, line)
            verdict = judge(file, part.md5, part.path)
            if not verdict.problem:
                part.become_whole()
                return verdict
            line.note(f"{file.name} came whole, but {verdict.problem}. It is thrown away.")
            line.done(-part.discard())
        times = f"fetched {1 + self._patience.anew} times, each time wrong"
        raise GivenUp(f"what {httpx.URL(url).host} has is another file: {verdict.problem} ({times})", _ELSEWHERE)

    def _complete(self, url: str, file: RemoteFile, part: Part, line: Line) -> None:
        """Try until the part is whole."""
        failures, furthest = 0, part.size
        while True:
            self._refuse_unreachable(httpx.URL(url).host)
            line.go_on_or_stop()
            try:
                return attempt(self._client, file, url, part, line)
            except Never as never:
                raise GivenUp(str(never), _ELSEWHERE) from never
            except Again as again:
                if part.size - furthest >= max(1, file.size // _NOTICEABLE):
                    failures = 0
                failures, furthest = failures + 1, max(furthest, part.size)
                self._rest(again, failures, file, line)

    def _rest(self, again: Again, failures: int, file: RemoteFile, line: Line) -> None:
        """Wait for the next try, or give up."""
        unheard = bool(again.unreached) and again.unreached not in self._heard
        if failures >= (self._patience.unheard if unheard else self._patience.tries):
            if unheard:
                self._unreachable[again.unreached] = str(again)
            line.note(f"{file.name}: {again}; given up after {failures} tries in a row")
            raise GivenUp(str(again), _CHECK_LINE if again.unreached else _LATER) from again
        seconds = self._patience.pause(failures, self._rng, again.asked)
        line.note(f"{file.name}: {again}; next try in {seconds:.0f} s")
        self._patience.wait(line.stop, seconds)

    def _refuse_unreachable(self, host: str) -> None:
        """No server that another file has given up on, and that has never answered, is waited for again."""
        if host in self._unreachable and host not in self._heard:
            raise GivenUp(self._unreachable[host], _CHECK_LINE)


def _client(patience: Patience, heard: set[str]) -> httpx.Client:
    def hear(response: httpx.Response) -> None:
        heard.add(response.request.url.host)

    try:
        return httpx.Client(
            headers={"User-Agent": f"chestxpert/{__version__}", "Accept-Encoding": "identity", "Accept": "*/*"},
            timeout=httpx.Timeout(patience.stall, connect=patience.connect, pool=None),
            follow_redirects=True,
            event_hooks={"response": [hear]},
        )
    except (ValueError, ImportError, OSError) as error:
        raise DownloadError(
            f"The proxy or certificate settings of the environment cannot be used: {error}. Look at HTTPS_PROXY, "
            "ALL_PROXY and SSL_CERT_FILE."
        ) from error


def _unwritable(error: OSError, folder: Path) -> GivenUp:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return GivenUp(f"there is no room left in {folder} ({error.strerror})", _MAKE_ROOM)
    return GivenUp(f"{folder} cannot be written or read ({error})", "Name a folder that you may write to.")
