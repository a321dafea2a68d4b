"""Fetching from a hub that works, and from hubs that fail in every way, always within the deadline."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chestxpert.errors import WeightsError
from chestxpert.models.hub import HubFile, HubSettings

FILE = HubFile("timm/tiny")
PATH = "/timm/tiny/resolve/main/model.safetensors"


@pytest.fixture
def served(hub: Any) -> Any:
    hub.files[PATH] = bytes(range(256)) * 4000
    return hub


def test_a_file_is_fetched_once_and_then_found_in_the_cache(served: Any, capfd: pytest.CaptureFixture[str]) -> None:
    settings = HubSettings.from_environment()
    assert FILE.cached(settings) is None
    assert FILE.unreachable(settings) is None
    path = FILE.download(settings)
    assert path.read_bytes() == served.files[PATH]
    assert FILE.cached(settings) == path
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("missing", "404"),
        ("broken", "500"),
        ("plain", "is no Hugging Face hub"),
        ("stall", "did not answer within 0.5 s"),
    ],
)
def test_why_a_file_cannot_be_had_is_said_in_time(served: Any, mode: str, reason: str) -> None:
    served.mode = mode
    began = time.monotonic()
    found = FILE.unreachable(HubSettings.from_environment(), timeout=0.5 if mode == "stall" else 10)
    assert found is not None
    assert reason in found
    assert time.monotonic() - began < 8


def test_a_refused_connection_is_a_plain_no(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert "refused" in str(FILE.unreachable(HubSettings.from_environment())).lower()


def test_a_name_server_that_hangs_does_not_hold_us(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    done = threading.Event()

    def hang(*args: object, **kwargs: object) -> list[object]:
        done.wait(30)
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    reason = FILE.unreachable(HubSettings.from_environment(), timeout=0.3)
    done.set()
    assert reason == "http://hub.invalid did not answer within 0.3 s"
    assert time.monotonic() - began < 8


def test_offline_asks_nobody(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert FILE.unreachable(HubSettings.from_environment()) == "HF_HUB_OFFLINE is set"
    assert served.requests == []


def test_the_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.invalid/")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    settings = HubSettings.from_environment()
    assert (settings.endpoint, settings.cache) == ("http://mirror.invalid", tmp_path / "hub")


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("missing", "404"), ("short", "Consistency check failed"), ("cut", "stalled|failed"), ("stall_body", "stalled")],
)
def test_a_download_that_fails_says_so_and_leaves_no_file(served: Any, mode: str, reason: str) -> None:
    settings = HubSettings.from_environment()
    served.mode = mode
    stall = 1.5 if "stalled" in reason else 30.0
    with pytest.raises(WeightsError, match=reason) as caught:
        FILE.download(settings, stall=stall)
    assert "timm/tiny/model.safetensors" in str(caught.value)
    assert FILE.cached(settings) is None
