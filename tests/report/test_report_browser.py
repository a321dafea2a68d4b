"""The report in a real browser: no error, no request, nothing cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_pages import IN_A_BROWSER, OVERLAPS, assert_dark_is_dark, drawn_figures, open_page, requests

webdriver = pytest.importorskip("selenium.webdriver")
pytestmark = IN_A_BROWSER


def test_opens_without_error_or_request_and_says_the_verdict(browser: webdriver.Chrome, study_folder: Path) -> None:
    page = study_folder / "report.html"
    browser.get("about:blank")
    requests(browser)  # what Chromium's own start page asked for
    open_page(browser, page, 1280)
    assert [url for url in requests(browser) if not url.startswith("data:")] == [page.as_uri()]
    assert browser.get_log("browser") == []
    verdict = browser.find_element("id", "verdict-text")
    assert verdict.is_displayed()
    assert verdict.rect["y"] + verdict.rect["height"] < 900
    assert "best hierarchical recipe" in verdict.text


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_every_figure_is_drawn_and_nothing_runs_over_the_edge(
    browser: webdriver.Chrome, study_folder: Path, width: int
) -> None:
    open_page(browser, study_folder / "report.html", width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    figures = drawn_figures(browser)
    assert len(figures) == 18
    assert all(figures)
    # One of the two widths, never both.
    assert figures[0] == figures[1] == 1
    assert figures[7] == figures[9] == 15


def test_no_words_of_a_drawing_lie_on_other_words(browser: webdriver.Chrome, study_folder: Path) -> None:
    for width in (1280, 390):
        open_page(browser, study_folder / "report.html", width)
        assert browser.execute_script(OVERLAPS) == []


def test_dark_mode_is_dark_and_legible(browser: webdriver.Chrome, study_folder: Path) -> None:
    assert_dark_is_dark(browser, study_folder / "report.html")


def test_the_numbers_unfold(browser: webdriver.Chrome, study_folder: Path) -> None:
    open_page(browser, study_folder / "report.html", 1280)
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1280
    tables = browser.find_elements("css selector", "figure table")
    assert len(tables) >= 10
    assert all(table.rect["height"] > 40 for table in tables)
