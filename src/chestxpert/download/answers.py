"""What a server's answer means: the file from its beginning, the rest of it, nothing more, or a failure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from chestxpert.download.catalogue import RemoteFile
from chestxpert.download.part import Origin

_TEMPORARY = frozenset((408, 425, 429, 500, 502, 503, 504))
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d+)")
_TITLE = re.compile(rb"<title[^>]*>\s*(.*?)\s*</title", re.IGNORECASE | re.DOTALL)
_GZIP = b"\x1f\x8b"


class Again(Exception):  # noqa: N818 - it says what to do, and no user meets it
    """A try has failed, and another may succeed.

    Parameters
    ----------
    problem : str
        What went wrong, as a clause.
    asked : float, optional
        Seconds that the server asks to wait.
    unreached : str
        The server, if there was no answer at all.
    """

    def __init__(self, problem: str, asked: float | None = None, unreached: str = "") -> None:
        super().__init__(problem)
        self.asked, self.unreached = asked, unreached


class Never(Exception):  # noqa: N818
    """Trying again in this place is of no use."""


def origin_of(url: str, response: httpx.Response) -> Origin:
    """Marks of the version that an answer is about."""
    etag = response.headers.get("ETag", "")
    begin_and_total = content_range(response)
    total = begin_and_total[1] if begin_and_total else _number(response.headers.get("Content-Length"))
    modified = response.headers.get("Last-Modified", "")
    return Origin(url, "" if etag.startswith("W/") else etag, modified, total)


def content_range(response: httpx.Response) -> tuple[int, int | None] | None:
    """(First byte, size of the whole) of an answer 206; None if it is no such answer, or says nothing sensible."""
    found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if response.status_code != 206 or found is None:
        return None
    return int(found[1]), _number(found[2])


def unsatisfied_total(response: httpx.Response) -> int | None:
    """Size of the whole that an answer 416 tells; None if it tells none."""
    found = _UNSATISFIED.fullmatch(response.headers.get("Content-Range", "").strip())
    return int(found[1]) if found else None


def refuse_failure(response: httpx.Response) -> None:
    """Raise Again or Never for an answer that is neither the file, nor a part of it, nor 416."""
    status = response.status_code
    if status in (200, 206, 416):
        return
    told = f"{response.request.url.host} answers {status} {response.reason_phrase}".rstrip()
    if status in _TEMPORARY:
        raise Again(told, asked=retry_after(response))
    raise Never(f"{told} to {response.request.url.copy_with(userinfo=b'')}")


def refuse_wrong_start(file: RemoteFile, head: bytes, host: str) -> None:
    """Raise Again if what an answer begins with cannot be the beginning of `file`."""
    if not head:
        raise Again(f"{host} sends an empty file")
    if head.lstrip()[:1] == b"<":
        title = _TITLE.search(head)
        called = f" ('{title[1].decode('utf-8', 'replace')[:80]}')" if title else ""
        raise Again(f"{host} sends a web page{called} instead of the file")
    if file.is_archive and not _GZIP.startswith(head[:2]):
        raise Again(f"{host} sends something that is no gzip archive: it begins with {head[:12]!r}")
    if not file.is_archive and head.startswith(_GZIP):
        raise Again(f"{host} sends the file compressed, though it was asked not to")


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that an answer asks to wait (RFC 9110, section 10.2.3), from a number or a date; None if it does not."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (when - datetime.now(UTC)).total_seconds() if when.tzinfo else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
