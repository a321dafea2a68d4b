"""The report on paper: printed by a browser, read back from the PDF."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_pages import IN_A_BROWSER, open_page

from chestxpert.report import build_report
from chestxpert.report.read import read_study

pypdf = pytest.importorskip("pypdf")
webdriver = pytest.importorskip("selenium.webdriver")
pytestmark = IN_A_BROWSER

PARTED = "return document.querySelectorAll('.part-of, .parted, body.paper').length"


def printed(browser: webdriver.Chrome, page: Path, scheme: str = "light") -> Any:
    """The page as a PDF."""
    open_page(browser, page, 1280, scheme)
    told = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": False})
    return pypdf.PdfReader(io.BytesIO(base64.b64decode(told["data"])))


@pytest.fixture(scope="module")
def sheets(browser: webdriver.Chrome, study_folder: Path) -> list[str]:
    """The words of every sheet of a study, printed by somebody who prefers dark screens."""
    return words(printed(browser, study_folder / "report.html", "dark"))


def words(paper: Any) -> list[str]:
    """The text of each page, on one line and without ligatures."""
    texts = [sheet.extract_text().replace("\N{LATIN SMALL LIGATURE FI}", "fi") for sheet in paper.pages]
    return [re.sub(r"\s+", " ", text.replace("\N{LATIN SMALL LIGATURE FL}", "fl")) for text in texts]


def test_nothing_is_left_out_on_paper(sheets: list[str], study_folder: Path) -> None:
    whole = " ".join(sheets)
    assert 15 < len(sheets) < 60
    results = read_study(study_folder).results
    for name in results.recipes:  # the last columns of the widest table, which is folded on the screen
        assert results.metric(name, "hierarchical_f1").words().split(" ")[1][:-1] in whole
        assert results.label(name, "Hernia", "f1").words().split("[")[1] in whole
    assert "architecture: cascade" in whole
    assert "@software" in whole


def test_sheets_are_counted_and_carry_no_address(sheets: list[str]) -> None:
    assert all(f"{place} / {len(sheets)}" in text for place, text in enumerate(sheets, 1))
    assert "file:" not in " ".join(sheets)
    assert "Skip to" not in " ".join(sheets)
    assert "Show only" not in " ".join(sheets)


def test_a_table_that_goes_on_has_its_head_again(sheets: list[str]) -> None:
    (curves,) = [place for place, text in enumerate(sheets) if "Figure 10" in text]
    assert "share of images" in sheets[curves]
    # The table of thresholds is longer than what is left of its first sheet.
    assert "share of images" in sheets[curves + 1]


def test_every_figure_stands_on_one_sheet_with_its_title(sheets: list[str]) -> None:
    for number, on_it in {1: "Macro AUROC", 4: "Average precision", 10: "recall"}.items():
        (sheet,) = [text for text in sheets if re.search(rf"Figure {number} ", text)]
        assert on_it in sheet
        assert "test" in sheet


def test_no_words_of_a_drawing_run_over_the_edge(browser: webdriver.Chrome, study_folder: Path) -> None:
    """A drawing may overflow on a screen, but a browser cuts it off on paper."""
    open_page(browser, study_folder / "report.html", 1280)
    beyond = browser.execute_script(
        """return [...document.querySelectorAll(".picture svg.wide")].flatMap(svg => {
           const right = svg.getBoundingClientRect().right + 1;
           return [...svg.querySelectorAll("text")].filter(word => word.getBoundingClientRect().right > right)
             .map(word => word.textContent) })"""
    )
    assert beyond == []


def test_the_screen_is_as_it_was_afterwards(browser: webdriver.Chrome, study_folder: Path) -> None:
    open_page(browser, study_folder / "report.html", 1280)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(PARTED) > 5
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(PARTED) == 0
    assert browser.execute_script("return document.querySelectorAll('figure details[open]').length") == 0


def test_paper_is_white_in_the_dark(browser: webdriver.Chrome, study_folder: Path) -> None:
    open_page(browser, study_folder / "report.html", 1280, "dark")
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    colours = browser.execute_script("const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert colours == ["rgb(255, 255, 255)", "rgb(22, 32, 42)"]


def test_without_the_script_paper_has_the_numbers_all_the_same(
    browser: webdriver.Chrome, study_factory: Callable[..., Path], tmp_path: Path
) -> None:
    study = study_factory(tmp_path / "small", recipes=("flat-basic",), seeds=(0,), draws=20)
    build_report(study)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        whole = " ".join(words(printed(browser, study / "report.html")))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert read_study(study).results.label("flat-basic", "Hernia", "auroc").words().split("[")[1] in whole
    assert "architecture: flat" in whole


def test_the_page_of_a_data_set_prints_too(browser: webdriver.Chrome, dataset_folder: Path) -> None:
    sheets = words(printed(browser, dataset_folder / "report.html"))
    assert 5 < len(sheets) < 30
    assert "Prevalence outside of test and in test" in " ".join(sheets)
