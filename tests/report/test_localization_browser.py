"""The page of a localization in a real browser: no error, no request, nothing cut off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from report_pages import IN_A_BROWSER, OVERLAPS, assert_dark_is_dark, drawn_figures, open_page, requests

from chestxpert.dataset import Dataset
from chestxpert.evaluation.localization import localize, write_maps
from chestxpert.evaluation.localization.cases import Cases
from chestxpert.report.localization.build import build_localization_report

webdriver = pytest.importorskip("selenium.webdriver")
pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def localization_page(drawn_boxes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("localization-page")
    cases = Cases.of(Dataset.load(drawn_boxes), "test", "stored").measured
    ids, findings = [case.image_id for case in cases], [case.finding for case in cases]
    rng = np.random.default_rng(0)
    names = ("first", "second-with-a-longer-name", "third")
    for name in names:
        maps = (rng.normal(size=(8, 8)) for _ in cases)
        write_maps(room / name, maps, ids, findings, method="noise", made_by="a test")
    localize([room / name for name in names], drawn_boxes, room / "out", draws=50)
    return build_localization_report(room / "out")


def test_opens_without_error_or_request(browser: webdriver.Chrome, localization_page: Path) -> None:
    browser.get("about:blank")
    requests(browser)
    open_page(browser, localization_page, 1280)
    assert [url for url in requests(browser) if not url.startswith("data:")] == [localization_page.as_uri()]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [1280, 800, 360])
def test_nothing_runs_over_the_edge(browser: webdriver.Chrome, localization_page: Path, width: int) -> None:
    open_page(browser, localization_page, width)
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    figures = drawn_figures(browser)
    assert figures[0] == 1
    assert figures[1] > 5


def test_no_words_of_a_drawing_lie_on_other_words(browser: webdriver.Chrome, localization_page: Path) -> None:
    for width in (1280, 360):
        open_page(browser, localization_page, width)
        assert browser.execute_script(OVERLAPS) == []


def test_dark_mode_is_dark_and_legible(browser: webdriver.Chrome, localization_page: Path) -> None:
    assert_dark_is_dark(browser, localization_page)


def test_boxes_lie_over_their_pictures(browser: webdriver.Chrome, localization_page: Path) -> None:
    open_page(browser, localization_page, 800)
    apart = browser.execute_script(
        """return [...document.querySelectorAll(".frame-of")].map(frame => {
             const a = frame.querySelector("img").getBoundingClientRect();
             const b = frame.querySelector("svg").getBoundingClientRect();
             return Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y),
                             Math.abs(a.width - b.width), Math.abs(a.height - b.height));
           })"""
    )
    assert len(apart) > 10
    assert max(apart) < 1
