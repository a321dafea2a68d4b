"""One try: one request, and what it brings added to the part of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from chestxpert.download.answers import (
    Again,
    content_range,
    origin_of,
    refuse_failure,
    refuse_wrong_start,
    unsatisfied_total,
)
from chestxpert.download.catalogue import RemoteFile
from chestxpert.download.crew import Line
from chestxpert.download.part import Part

_HEAD = 512
"""Bytes looked at before what an earlier try brought is thrown away for what this one brings."""


def attempt(client: httpx.Client, file: RemoteFile, url: str, part: Part, line: Line) -> None:
    """Ask `url` for what `part` lacks, and add it.

    Always GET, always at the address that the catalogue has: NIH's server answers HEAD with 404 and redirects GET to
    an address that soon expires.

    Raises
    ------
    Again, Never
        If the part is not whole afterwards.
    OSError
        If it cannot be written.
    """
    with _answer(client, url, part) as response:
        refuse_failure(response)
        if response.status_code == 416:
            _settle_unsatisfied(response, part, line)
        elif response.status_code == 206:
            _go_on(response, url, part, line)
        else:
            _from_the_beginning(response, file, url, part, line)


@contextmanager
def _answer(client: httpx.Client, url: str, part: Part) -> Iterator[httpx.Response]:
    """Context of the open answer; what goes wrong with it, at any time, becomes Again."""
    try:
        with client.stream("GET", url, headers=_headers(part)) as response:
            yield response
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        host = error.request.url.host
        raise Again(f"{host} cannot be reached ({_reason(error)})", unreached=host) from error
    except httpx.ReadTimeout as error:
        raise Again(f"{error.request.url.host} has sent nothing for {client.timeout.read:g} s") from error
    except httpx.HTTPError as error:  # cut, malformed, redirected in circles
        raise Again(f"the connection to {error.request.url.host} was lost ({_reason(error)})") from error


def _headers(part: Part) -> dict[str, str]:
    """Ask for the rest only, and only if the file is still the one whose beginning is there."""
    if part.size == 0 or part.origin is None:
        return {}
    mark = part.origin.etag or part.origin.last_modified
    return {"Range": f"bytes={part.size}-"} | ({"If-Range": mark} if mark else {})


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__


def _settle_unsatisfied(response: httpx.Response, part: Part, line: Line) -> None:
    """There is nothing after what the part holds: either that is all, or it is no part of what is there now."""
    if part.size and unsatisfied_total(response) == part.size:
        return
    line.done(-part.discard())
    raise Again("what had come so far is no part of the file as it is now on the server")


def _go_on(response: httpx.Response, url: str, part: Part, line: Line) -> None:
    placed, now = content_range(response), origin_of(url, response)
    if placed is None or placed[0] != part.size or part.origin is None or part.origin.differs(now):
        line.done(-part.discard())
        raise Again("the file has changed on the server meanwhile")
    _add(response.iter_raw(), part, line, now.total)


def _from_the_beginning(response: httpx.Response, file: RemoteFile, url: str, part: Part, line: Line) -> None:
    """The whole file, because nothing was there, or because the server cannot or must not go on from that."""
    chunks = response.iter_raw()
    head = _head(chunks)
    refuse_wrong_start(file, head, response.request.url.host)
    origin = origin_of(url, response)
    line.done(-part.begin(origin))
    _add(_after(head, chunks), part, line, origin.total)


def _head(chunks: Iterator[bytes]) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _HEAD:
            break
    return head


def _after(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks


def _add(chunks: Iterator[bytes], part: Part, line: Line, total: int | None) -> None:
    with part.growing() as add:
        for chunk in chunks:
            line.go_on_or_stop()
            add(chunk)
            line.done(len(chunk))
    if total is not None and part.size != total:
        raise Again(f"{part.size} of {total} bytes came")
