"""A server of files on loopback that misbehaves as it is told, and remembers what it was asked."""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from chestxpert.download import Patience, RemoteFile, Report, fetch_all
from chestxpert.progress import SILENT, Progress

Way = Callable[["Handler", bytes], None]
"""How one request is answered, given the file that is asked for."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.ways: dict[str, list[Way]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.marks = True
        self.over = threading.Event()

    def url(self, name: str = "") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def ranges(self, name: str) -> list[str | None]:
        """The Range of each request for a file, None where it asked for the whole."""
        return [headers.get("range") for path, headers in self.asked if path == name]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has heard enough closes the line; that is no error here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet, not 40 ms apart
    server: Server

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        self.server.asked.append((name, {key.lower(): value for key, value in self.headers.items()}))
        ways = self.server.ways.get(name, [])
        way = ways.pop(0) if ways else well
        way(self, self.server.files.get(name, b""))

    def begin(self, status: int, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def wanted(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Status, bytes and headers of a right answer."""
        mark = f'"{hashlib.sha256(body).hexdigest()}"'
        headers = {"ETag": mark} if self.server.marks else {}
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found is None or self.headers.get("If-Range", mark) != mark:
            return 200, body, headers
        start = int(found[1])
        if start >= len(body):
            return 416, b"", headers | {"Content_Range": f"bytes */{len(body)}"}
        return 206, body[start:], headers | {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}

    def hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def well(handler: Handler, body: bytes) -> None:
    if not body:
        return status(404)(handler, body)
    code, data, headers = handler.wanted(body)
    handler.begin(code, len(data), **headers)
    handler.wfile.write(data)
    return None


def cut(count: int) -> Way:
    """Promise everything, send `count` bytes, hang up."""

    def way(handler: Handler, body: bytes) -> None:
        code, data, headers = handler.wanted(body)
        handler.begin(code, len(data), **headers)
        handler.wfile.write(data[:count])
        handler.hang_up()

    return way


def stall(count: int) -> Way:
    """Promise everything, send `count` bytes, and then nothing."""

    def way(handler: Handler, body: bytes) -> None:
        code, data, headers = handler.wanted(body)
        handler.begin(code, len(data), **headers)
        handler.wfile.write(data[:count])
        handler.wfile.flush()
        handler.server.over.wait(10)
        handler.hang_up()

    return way


def sends(data: bytes, code: int = 200, **headers: str) -> Way:
    """Send `data` whatever was asked for."""

    def way(handler: Handler, body: bytes) -> None:
        handler.begin(code, len(data), **headers)
        handler.wfile.write(data)

    return way


def page(title: str) -> Way:
    """Box's way to say that something is wrong."""
    return sends(f"<!DOCTYPE html><html><head><title>{title}</title></head></html>".encode(), Content_Type="text/html")


def status(code: int, **headers: str) -> Way:
    return sends(b"no", code, **headers)


def whole(handler: Handler, body: bytes) -> None:
    """Ignore Range."""
    handler.begin(200, len(body))
    handler.wfile.write(body)


def whole_cut(count: int) -> Way:
    """Ignore Range, and hang up after `count` bytes."""

    def way(handler: Handler, body: bytes) -> None:
        handler.begin(200, len(body))
        handler.wfile.write(body[:count])
        handler.hang_up()

    return way


def unmeasured(count: int) -> Way:
    """Send `count` bytes without saying how many it will be, as HTTP/1.0 did; the end of the line is the end."""

    def way(handler: Handler, body: bytes) -> None:
        handler.begin(200, Connection="close")
        handler.wfile.write(body[:count])
        handler.hang_up()

    return way


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def archive_bytes(seed: int, size: int) -> bytes:
    """What cannot be told from a gzip archive by its first bytes, and from nothing else by the others."""
    return b"\x1f\x8b" + np.random.default_rng(seed).bytes(size - 2)


@dataclass
class Noted(Progress):
    """Progress that remembers its notes."""

    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Download:
    """A small data set on a server, and downloads of it into a folder."""

    server: Server
    folder: Path
    waits: list[float] = field(default_factory=list)
    files: list[RemoteFile] = field(default_factory=list)

    def serve(self, name: str, data: bytes, contents_problem: Callable[[str], str | None] | None = None) -> RemoteFile:
        """Put a file on the server, and on the list of those to fetch."""
        self.server.files[name] = data
        md5 = hashlib.md5(data).hexdigest()
        file = RemoteFile(name, (self.server.url(name),), (md5,), len(data), contents_problem)
        self.files.append(file)
        return file

    def run(self, *files: RemoteFile, progress: Progress = SILENT, workers: int = 2, **patience: float) -> Report:
        bounds = {"tries": 4, "unheard": 2, "stall": 0.4, "connect": 5.0} | patience
        patient = Patience(**bounds, wait=self._wait)  # type: ignore[arg-type]
        return fetch_all(
            files or self.files, self.folder, workers=workers, progress=progress, patience=patient, rng=random.Random(0)
        )

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        self.waits.append(seconds)

    def path(self, name: str) -> Path:
        return self.folder / name

    def names(self) -> list[str]:
        """Everything that is in the folder, hidden or not."""
        return sorted(path.name for path in self.folder.iterdir())


ARCHIVES = {f"images_{number:03d}.tar.gz": archive_bytes(number, 3_000 * number) for number in range(1, 6)}
LIST = "test_list.txt"
NAMES = b"00000001_000.png\n00000002_000.png\n"


def assert_all_there(net: Download) -> None:
    """Five archives and a label file, and nothing else."""
    assert net.names() == sorted([*ARCHIVES, LIST])
    for name, data in {**ARCHIVES, LIST: NAMES}.items():
        assert net.path(name).read_bytes() == data
