"""The report in a real browser: no error, no request, nothing cut off."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium")
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium and its driver are not installed"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


def _open(browser: webdriver.Chrome, page: Path, width: int, scheme: str = "light") -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((page / "report.html").as_uri())


def _requests(browser: webdriver.Chrome) -> list[str]:
    messages: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def test_opens_without_error_or_request_and_says_the_verdict(browser: webdriver.Chrome, study_folder: Path) -> None:
    browser.get("about:blank")
    _requests(browser)  # what Chromium's own start page asked for
    _open(browser, study_folder, 1280)
    requests = [url for url in _requests(browser) if not url.startswith("data:")]
    assert requests == [(study_folder / "report.html").as_uri()]
    assert browser.get_log("browser") == []
    verdict = browser.find_element("id", "verdict-text")
    assert verdict.is_displayed()
    assert verdict.rect["y"] + verdict.rect["height"] < 900
    assert "best hierarchical recipe" in verdict.text


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_every_figure_is_drawn_and_nothing_runs_over_the_edge(
    browser: webdriver.Chrome, study_folder: Path, width: int
) -> None:
    _open(browser, study_folder, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    figures = browser.execute_script(
        """return [...document.querySelectorAll("figure")].map(figure => [...figure.querySelectorAll("svg[role=img]")]
           .map(svg => svg.getBoundingClientRect()).filter(box => box.width > 100 && box.height > 60).length)"""
    )
    assert len(figures) == 10
    assert all(figures)
    # One of the two widths, never both.
    assert figures[0] == figures[1] == 1
    assert figures[3] == 15


def test_no_words_of_a_drawing_lie_on_other_words(browser: webdriver.Chrome, study_folder: Path) -> None:
    for width in (1280, 390):
        _open(browser, study_folder, width)
        overlaps = browser.execute_script(
            """const found = [];
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
            return found;"""
        )
        assert overlaps == []


def test_dark_mode_is_dark_and_legible(browser: webdriver.Chrome, study_folder: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        _open(browser, study_folder, 1280, scheme)
        script = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        colours[scheme] = [sum(map(int, c[4:-1].split(","))) for c in browser.execute_script(script)]
    assert colours["light"][0] > 700 > 150 > colours["light"][1]
    assert colours["dark"][0] < 150 < 600 < colours["dark"][1]


def test_the_numbers_unfold(browser: webdriver.Chrome, study_folder: Path) -> None:
    _open(browser, study_folder, 1280)
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1280
    tables = browser.find_elements("css selector", "figure table")
    assert len(tables) >= 10
    assert all(table.rect["height"] > 40 for table in tables)
