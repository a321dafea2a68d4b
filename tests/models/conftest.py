"""A small Hugging Face hub on loopback, which can misbehave in the ways that real networks do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves `files` by path; `mode` says how.

    Modes: good; missing (404); broken (500); plain (200 without a hub's headers); stall (accepts, says nothing);
    stall_body (says nothing after the headers of a GET); cut (closes half-way through the body); short (promises
    more than it sends).
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.mode = "good"
        self.requests: list[str] = []
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = False
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def add_weights(self, name: str) -> torch.nn.Module:
        """Serve random weights of timm's `name`, classifier included, and give the network that has them."""
        net: torch.nn.Module = timm.create_model(name, pretrained=False)
        content = safetensors.torch.save(net.state_dict())
        self.files[f"/{timm.get_pretrained_cfg(name).hf_hub_id}/resolve/main/model.safetensors"] = content
        return net

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(hub) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, body: bool) -> None:
                hub.requests.append(f"{self.command} {self.path}")
                if hub.mode == "stall":
                    hub.closing.wait(30)
                    return
                content = hub.files.get(self.path)
                status = {"broken": 500, "missing": 404}.get(hub.mode, 200 if content is not None else 404)
                content = content if content is not None and status == 200 else b""
                self.send_response(status)
                if hub.mode != "plain":
                    self.send_header("X-Repo-Commit", COMMIT)
                    self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                sent = content[: len(content) // 2] if hub.mode in ("cut", "short") and body else content
                self.send_header("Content-Length", str(len(sent if hub.mode == "short" else content)))
                self.end_headers()
                if body and hub.mode == "stall_body":
                    hub.closing.wait(30)
                elif body:
                    self.wfile.write(sent)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """The fake hub, with the environment pointing at it and an empty cache."""
    fake = FakeHub()
    monkeypatch.setenv("HF_ENDPOINT", fake.endpoint)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield fake
    fake.close()
