"""The page of a data set in a real browser: no error, no request, nothing cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_pages import IN_A_BROWSER, OVERLAPS, assert_dark_is_dark, drawn_figures, open_page, requests

webdriver = pytest.importorskip("selenium.webdriver")
pytestmark = IN_A_BROWSER


def test_opens_without_error_or_request(browser: webdriver.Chrome, dataset_folder: Path) -> None:
    page = dataset_folder / "report.html"
    browser.get("about:blank")
    requests(browser)  # what Chromium's own start page asked for
    open_page(browser, page, 1280)
    assert [url for url in requests(browser) if not url.startswith("data:")] == [page.as_uri()]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [1280, 800, 360])
def test_every_figure_is_drawn_once_and_nothing_runs_over_the_edge(
    browser: webdriver.Chrome, dataset_folder: Path, width: int
) -> None:
    open_page(browser, dataset_folder / "report.html", width)
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert drawn_figures(browser) == [1] * 7


def test_no_words_of_a_drawing_lie_on_other_words(browser: webdriver.Chrome, dataset_folder: Path) -> None:
    for width in (1280, 360):
        open_page(browser, dataset_folder / "report.html", width)
        assert browser.execute_script(OVERLAPS) == []


def test_dark_mode_is_dark_and_legible(browser: webdriver.Chrome, dataset_folder: Path) -> None:
    assert_dark_is_dark(browser, dataset_folder / "report.html")


def test_every_thumbnail_is_shown_square(browser: webdriver.Chrome, dataset_folder: Path) -> None:
    open_page(browser, dataset_folder / "report.html", 360)
    sizes = browser.execute_script(
        "return [...document.images].map(i => [i.complete && i.naturalWidth, i.clientWidth, i.clientHeight])"
    )
    assert len(sizes) > 20
    assert {natural for natural, _, _ in sizes} == {32}
    assert all(width == height >= 90 for _, width, height in sizes)
