"""Helpers for tests of pages: a parser that keeps what a page holds, and the browser's side."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium and its driver are not installed"),
]

OVERLAPS = """
const found = [];
for (const svg of document.querySelectorAll("figure svg[role=img]")) {
  if (!svg.getBoundingClientRect().width) continue;
  const words = [...svg.querySelectorAll("text:not([transform])")];
  const boxes = words.map(word => [word.textContent, word.getBoundingClientRect()]);
  boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
    const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (across > 1 && down > 4) found.push([svg.getAttribute("aria-label").slice(0, 30), a, b]);
  }));
}
return found;
"""
"""Words of a drawing that lie on other words of it; turned words are left aside."""

_VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether every element is closed where it should be."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.misplaced: list[str] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.misplaced += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.misplaced.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def ids(self) -> list[str]:
        return [attrs["id"] for _, attrs in self.tags if "id" in attrs]

    def assert_refers_to_nothing_outside(self) -> None:
        assert not [tag for tag, _ in self.tags if tag in ("iframe", "object", "embed", "base")]
        self.assert_runs_its_own_script_alone()
        for tag, attrs in self.tags:
            for key in ("href", "src", "srcset", "xlink:href", "action", "style"):
                assert attrs.get(key, "#").startswith(("#", "data:")), (tag, attrs)
        assert "@import" not in self.source
        assert not re.search(r"url\(", self.source)
        assert "default-src 'none'" in self.source

    def assert_runs_its_own_script_alone(self) -> None:
        """One script, without a source, and the page's policy names it by its hash; words may look like markup."""
        assert [attrs for tag, attrs in self.tags if tag == "script"] == [{}]
        (script,) = re.findall(r"<script>(.*?)</script>", self.source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = next(attrs["content"] for tag, attrs in self.tags if attrs.get("http-equiv"))
        assert f"script-src 'sha256-{digest}'" in policy
        assert not [key for _, attrs in self.tags for key in attrs if key.startswith("on")]

    def assert_links_lead_somewhere(self) -> None:
        assert len(self.ids()) == len(set(self.ids()))
        links = [attrs["href"][1:] for tag, attrs in self.tags if tag == "a"]
        assert len(links) >= 9
        assert set(links) <= set(self.ids())

    def assert_drawings_have_names(self) -> None:
        drawings = [attrs for tag, attrs in self.tags if tag == "svg" and attrs.get("aria-hidden") != "true"]
        assert drawings
        assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 10 for attrs in drawings)


def open_page(browser: Any, page: Path, width: int, scheme: str = "light") -> None:
    """Open a page at a width in pixels, as a reader who prefers light or dark."""
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())


def requests(browser: Any) -> list[str]:
    """What the browser has asked for since it was asked last."""
    messages: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def drawn_figures(browser: Any) -> list[int]:
    """For each figure of the open page, how many drawings of it can be seen."""
    found: list[int] = browser.execute_script(
        """return [...document.querySelectorAll("figure")].map(figure => [...figure.querySelectorAll("svg[role=img]")]
           .map(svg => svg.getBoundingClientRect()).filter(box => box.width > 100 && box.height > 60).length)"""
    )
    return found


def assert_dark_is_dark(browser: Any, page: Path) -> None:
    """Ground and ink change places with the reader's preference, and stay apart."""
    colours = {}
    for scheme in ("light", "dark"):
        open_page(browser, page, 1280, scheme)
        script = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        colours[scheme] = [sum(map(int, c[4:-1].split(","))) for c in browser.execute_script(script)]
    assert colours["light"][0] > 700 > 150 > colours["light"][1]
    assert colours["dark"][0] < 150 < 600 < colours["dark"][1]
