"""The report without a pointer: everything is reached, seen and worked by keyboard, and nothing hides in a tip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from report_pages import IN_A_BROWSER, open_page
from selenium.webdriver.common.keys import Keys

webdriver = pytest.importorskip("selenium.webdriver")

NUMBER = re.compile(r"\d[\d.\N{NARROW NO-BREAK SPACE}]*")
WORKABLE = "a[href], button, input, summary, [tabindex='0']"
REACHABLE = f"""
return [...document.querySelectorAll(`{WORKABLE}`)].filter(each => each.checkVisibility({{ visibilityProperty: true }})
  && !(each.type === "radio" && !each.checked)).length
"""
FOCUS = """
const now = document.activeElement, box = now.getBoundingClientRect(), style = getComputedStyle(now);
return [now.tagName, box.width > 0 && box.bottom > 0 && box.top < innerHeight, style.outlineStyle !== "none"]
"""


@pytest.fixture
def page(browser: webdriver.Chrome, study_folder: Path) -> Iterator[webdriver.Chrome]:
    open_page(browser, study_folder / "report.html", 1280)
    yield browser
    assert browser.get_log("browser") == []


def press(browser: webdriver.Chrome, *keys: str) -> None:
    webdriver.ActionChains(browser).send_keys(*keys).perform()


def focused(browser: webdriver.Chrome) -> str:
    return str(browser.execute_script("const n = document.activeElement; return n.id || n.innerText || n.value"))


class TestByKeyboard:
    pytestmark = IN_A_BROWSER

    def test_the_first_stop_skips_to_the_verdict(self, page: webdriver.Chrome) -> None:
        press(page, Keys.TAB)
        assert focused(page) == "Skip to the verdict"
        assert page.execute_script(FOCUS)[1:] == [True, True]
        press(page, Keys.ENTER)
        assert focused(page) == "main"

    def test_every_stop_is_on_the_screen_and_shows_that_it_has_the_focus(self, page: webdriver.Chrome) -> None:
        expected = page.execute_script(REACHABLE)
        assert expected > 60
        for place in range(expected):
            press(page, Keys.TAB)
            tag, seen, outlined = page.execute_script(FOCUS)
            assert tag != "BODY", f"the page ends after {place} of {expected} stops"
            assert [seen, outlined] == [True, True], focused(page)

    def test_numbers_unfold_and_are_sorted(self, page: webdriver.Chrome) -> None:
        page.execute_script("document.querySelector('#fig-recipes summary').focus()")
        press(page, Keys.ENTER, Keys.TAB, Keys.TAB)
        assert focused(page) == "recipe"
        press(page, Keys.TAB, Keys.TAB, Keys.SPACE)
        head = page.find_element("css selector", "#fig-recipes th[aria-sort]")
        assert head.get_attribute("aria-sort") == "descending"
        assert page.find_element("id", "status").text.startswith("Sorted by Macro AUROC")

    def test_filters_are_chosen(self, page: webdriver.Chrome) -> None:
        page.execute_script("document.querySelector('[name=group]').focus()")
        press(page, Keys.ARROW_DOWN)
        assert "head findings" in page.find_element("id", "status").text

    def test_landmarks_and_headings_are_in_order(self, page: webdriver.Chrome) -> None:
        assert len(page.find_elements("css selector", "main")) == len(page.find_elements("css selector", "nav")) == 1
        levels = page.execute_script(
            "return [...document.querySelectorAll('h1, h2, h3, h4')].map(each => Number(each.tagName[1]))"
        )
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))

    def test_every_drawing_leads_to_its_numbers(self, page: webdriver.Chrome) -> None:
        pairs = page.execute_script(
            """return [...document.querySelectorAll("figure svg[role=img]")].map(svg => [svg.closest("figure").id,
               document.getElementById(svg.getAttribute("aria-details"))?.closest("figure").id])"""
        )
        assert len(pairs) > 40
        bare = {ours for ours, theirs in pairs if theirs is None}
        assert [pair for pair in pairs if pair[0] not in bare and pair[0] != pair[1]] == []
        tables = "return document.querySelectorAll(`#${arguments[0]} table`).length"
        assert not [name for name in bare if page.execute_script(tables, name)]


class Tips(HTMLParser):
    """Of each figure, the words of its tips, and all other words."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tips: dict[str, list[str]] = {}
        self.words: dict[str, str] = {}
        self._figure, self._in_tip = "", False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "figure":
            self._figure = dict(attrs)["id"] or ""
        self._in_tip = tag == "title" and bool(self._figure)

    def handle_endtag(self, tag: str) -> None:
        self._in_tip = False
        if tag == "figure":
            self._figure = ""

    def handle_data(self, data: str) -> None:
        if self._in_tip:
            self.tips.setdefault(self._figure, []).append(data)
        elif self._figure:
            self.words[self._figure] = self.words.get(self._figure, "") + " " + data


@pytest.mark.parametrize("folder", ["study_folder", "dataset_folder"])
def test_no_number_is_told_to_a_pointer_alone(folder: str, request: pytest.FixtureRequest) -> None:
    tips = Tips((request.getfixturevalue(folder) / "report.html").read_text(encoding="utf-8"))
    assert sum(map(len, tips.tips.values())) > 200
    for figure, told in tips.tips.items():
        written = {number.rstrip(".") for number in NUMBER.findall(tips.words[figure])}
        hidden = {number.rstrip(".") for tip in told for number in NUMBER.findall(tip)} - written
        # A square of the heat map has its share in whole per cent, and only its tip a decimal more.
        assert not [number for number in hidden if f"{float(number):.0f}" not in written], figure
