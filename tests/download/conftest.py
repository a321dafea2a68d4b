"""Fixtures: a server of the test's own on loopback, and downloads from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import ARCHIVES, LIST, NAMES, Download, Server, serving


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is never behind a proxy, whatever the machine's settings are."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def net(server: Server, tmp_path: Path) -> Download:
    return Download(server, tmp_path / "nih")


@pytest.fixture
def five(net: Download) -> Download:
    """Five archives and a label file."""
    for name, data in ARCHIVES.items():
        net.serve(name, data)
    net.serve(LIST, NAMES)
    return net
