"""Sorting and filtering in a real browser; and the page without any of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from report_pages import IN_A_BROWSER, open_page

webdriver = pytest.importorskip("selenium.webdriver")
pytestmark = IN_A_BROWSER


@pytest.fixture
def page(browser: webdriver.Chrome, study_folder: Path) -> Iterator[webdriver.Chrome]:
    open_page(browser, study_folder / "report.html", 1280)
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    yield browser
    assert browser.get_log("browser") == []


def heads(browser: webdriver.Chrome, selector: str) -> list[object]:
    return list(browser.find_elements("css selector", f"{selector} thead tr:last-child th"))


def column(browser: webdriver.Chrome, selector: str, number: int) -> list[str]:
    script = (
        "return [...document.querySelector(arguments[0]).tBodies[0].rows].map(r => r.cells[arguments[1]].innerText)"
    )
    return [str(words) for words in browser.execute_script(script, selector, number)]


def leading(words: str) -> float:
    return float(words.split()[0].replace("\N{MINUS SIGN}", "-"))


FINDINGS = "#fig-findings table"
RECIPES = "#fig-recipes .scroll:first-of-type tbody tr"
"""The six recipes and the shortcut floor."""


def test_a_head_sorts_down_then_up_then_back(page: webdriver.Chrome) -> None:
    names = column(page, FINDINGS, 0)
    place = [head.text for head in heads(page, FINDINGS)].index("flat-resampled")
    values = [leading(words) for words in column(page, FINDINGS, place)]
    said = []
    for wanted in (sorted(values, reverse=True), sorted(values), values):
        head = heads(page, FINDINGS)[place]
        head.find_element("tag name", "button").click()
        said.append(head.get_attribute("aria-sort"))
        assert [leading(words) for words in column(page, FINDINGS, place)] == wanted
    assert said == ["descending", "ascending", None]
    assert column(page, FINDINGS, 0) == names


def test_rows_move_whole_and_one_head_alone_says_that_it_sorts(page: webdriver.Chrome) -> None:
    before = dict(zip(column(page, FINDINGS, 0), column(page, FINDINGS, 4), strict=True))
    for place in (1, 0):
        heads(page, FINDINGS)[place].find_element("tag name", "button").click()
    assert [head.get_attribute("aria-sort") for head in heads(page, FINDINGS)].count("ascending") == 1
    assert column(page, FINDINGS, 0) == sorted(before)
    assert dict(zip(column(page, FINDINGS, 0), column(page, FINDINGS, 4), strict=True)) == before
    assert "Sorted by finding" in page.find_element("id", "status").get_attribute("textContent")


def test_the_keyboard_sorts_as_well(page: webdriver.Chrome) -> None:
    from selenium.webdriver.common.keys import Keys

    button = heads(page, FINDINGS)[1].find_element("tag name", "button")
    button.send_keys(Keys.ENTER)
    counts = [leading(words) for words in column(page, FINDINGS, 1)]
    assert counts == sorted(counts, reverse=True)
    button.send_keys(Keys.SPACE)
    assert [leading(words) for words in column(page, FINDINGS, 1)] == counts[::-1]


def test_times_and_shortened_numbers_are_sorted_by_what_they_stand_for(page: webdriver.Chrome) -> None:
    script = """
      const table = document.querySelector(arguments[0]), head = [...table.tHead.rows].pop().cells[1];
      const words = arguments[1];
      [...table.tBodies[0].rows].forEach((row, place) => { row.cells[1].textContent = words[place] ?? "not defined"; });
      head.querySelector("button").click();
      return [...table.tBodies[0].rows].map(row => row.cells[1].textContent).slice(0, words.length);
    """
    minus, thin = "\N{MINUS SIGN}", "\N{NARROW NO-BREAK SPACE}"
    for words in (
        ["2 h 10 min", "3 min 05 s", "59 s", "8.2 s"],
        ["4.04 M", "12 k", f"1{thin}020", "997", "0.5 [0.4, 0.6]", "< 0.001", f"{minus}0.1"],
        ["12.5 %", "9.9 %", f"{minus}1"],
    ):
        assert page.execute_script(script, FINDINGS, words[::-1]) == words
        page.execute_script("document.querySelector(arguments[0] + ' [aria-sort] button').click()", FINDINGS)
        page.execute_script("document.querySelector(arguments[0] + ' [aria-sort] button').click()", FINDINGS)


def visible(browser: webdriver.Chrome, selector: str) -> list[str]:
    script = """return [...document.querySelectorAll(arguments[0])].filter(each => each.getBoundingClientRect().width)
                .map(each => each.innerText || each.getAttribute("aria-label"))"""
    return [str(words) for words in browser.execute_script(script, selector)]


def test_a_group_leaves_its_findings_alone(page: webdriver.Chrome, study_folder: Path) -> None:
    tail = json.loads((study_folder / "comparison.json").read_text())["groups"]["findings"]["tail"]
    page.find_element("css selector", "[name=group][value=tail]").click()
    rows = [row.split("\t")[0] for row in visible(page, "#fig-findings tbody tr")]
    assert len(rows) == 3 * len(tail)  # AUROC, average precision, F1
    assert set(rows) == set(tail)
    assert len(visible(page, "#fig-roc svg[role=img]")) == len(tail)
    assert len(visible(page, RECIPES)) == 6 + 1
    page.find_element("css selector", "[data-choose=all]").click()
    assert len(visible(page, "#fig-roc svg[role=img]")) == 15


def test_an_unticked_recipe_is_gone_from_tables_and_faded_in_drawings(page: webdriver.Chrome) -> None:
    page.find_element("css selector", "[name=recipe][value=flat-weighted]").click()
    assert "5 of 6 recipes" in page.find_element("id", "filtered").text
    assert not [row for row in visible(page, "#fig-recipes tbody tr") if "flat-weighted" in row]
    assert "flat-weighted" not in visible(page, f"{FINDINGS} thead th")
    assert "flat-weighted" not in " ".join(visible(page, "#fig-contrasts tbody tr"))
    faded = page.execute_script(
        """return [...document.querySelectorAll("#fig-recipes svg.wide g.off")].map(each => each.dataset.about)"""
    )
    assert set(faded) == {"flat-weighted"}
    page.find_element("css selector", "[data-choose=best]").click()
    assert [row.split("\t")[0] for row in visible(page, RECIPES)] == [
        "flat-resampled",
        "hierarchical-shared",
        "shortcut floor",
    ]


def test_paper_shows_everything_again(page: webdriver.Chrome) -> None:
    page.execute_script("document.querySelectorAll('details').forEach(each => each.open = false)")
    page.find_element("css selector", "#filters summary").click()
    page.find_element("css selector", "[data-choose=none]").click()
    assert len(visible(page, "#fig-recipes tbody tr")) == 1  # the shortcut floor, which is no recipe
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    names = {row.split("\t")[0] for row in visible(page, "#fig-recipes tbody tr")}
    assert len(names) == 6 + 1
    assert len(visible(page, "#fig-roc svg[role=img]")) == 15
    page.execute_script("dispatchEvent(new Event('afterprint'))")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert not page.find_element("css selector", "#fig-recipes details").get_attribute("open")


def test_without_the_script_all_of_it_is_there(browser: webdriver.Chrome, study_folder: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        open_page(browser, study_folder / "report.html", 1280)
        tables = browser.find_elements("css selector", "table")
        assert len(tables) > 20
        assert not browser.find_elements("css selector", "th button")
        assert not browser.find_element("id", "filters").is_displayed()
        assert len(browser.find_elements("css selector", RECIPES)) == 6 + 1
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
