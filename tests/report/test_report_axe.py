"""Both pages under axe-core, which knows what keeps people out of a page; and the words of drawings, which it skips.

axe-core (MPL-2.0) is not part of the project: `CHESTXPERT_AXE` names its axe.min.js, or it is looked for in
`.venv/axe/node_modules/axe-core`, or in the test dependency that carries it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_pages import IN_A_BROWSER, open_page

from chestxpert.report import build_report

webdriver = pytest.importorskip("selenium.webdriver")

ROOT = Path(__file__).parents[2]
CARRIER = "axe_playwright_python"
RUN = """
const done = arguments[arguments.length - 1];
const rules = arguments[0] ? { runOnly: [arguments[0]] } : {};
axe.run(document, { resultTypes: ["violations"], ...rules }).then(found => done(found.violations.map(
  each => [each.impact, each.id, each.nodes.length, each.nodes[0].html.slice(0, 120)])));
"""
PARED = """
document.querySelectorAll("details").forEach(each => each.open = true);
document.querySelectorAll("svg[role=img]").forEach(each => each.replaceChildren());
document.querySelectorAll("tbody").forEach(each => [...each.rows].slice(2).forEach(row => row.remove()));
"""
"""Everything unfolded, but without the shapes of drawings, which are no content to a screen reader (their words are
looked at by `LOW_CONTRAST`), and with two rows of each table, since others are like them: axe takes minutes else."""
LOW_CONTRAST = """
const parts = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = colour => parts(colour).map(v => linear(v / 255))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = light(getComputedStyle(document.body).backgroundColor);
const found = new Map();
for (const word of document.querySelectorAll("svg[role=img] text")) {
  // Words within the squares of a heat map stand on the square and not on the page.
  if (!word.getBoundingClientRect().width || word.matches(".cell-text, .on")) continue;
  const ink = light(getComputedStyle(word).fill);
  const contrast = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  if (contrast < 4.5) found.set(word.getAttribute("class"), contrast);
}
return [...found];
"""


def _axe() -> Path | None:
    carrier = importlib.util.find_spec(CARRIER)
    places = [
        os.environ.get("CHESTXPERT_AXE"),
        ROOT / ".venv/axe/node_modules/axe-core/axe.min.js",
        *(Path(folder) / "axe.min.js" for folder in (carrier.submodule_search_locations or () if carrier else ())),
    ]
    return next((Path(place) for place in places if place and Path(place).is_file()), None)


AXE = _axe()
pytestmark = [
    *IN_A_BROWSER,
    pytest.mark.skipif(AXE is None, reason="axe-core is not installed: CHESTXPERT_AXE names its axe.min.js"),
]


def violations(browser: webdriver.Chrome, rule: str = "") -> list[Any]:
    assert AXE is not None
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    browser.execute_script(PARED)
    found: list[Any] = browser.execute_async_script(RUN, rule)
    return found


@pytest.fixture(scope="module")
def pages(study_folder: Path, dataset_folder: Path, study_factory: Callable[..., Path], tmp_path_factory: Any) -> Any:
    drawn = study_factory(
        tmp_path_factory.mktemp("drawn") / "drawn", recipes=("flat-basic",), seeds=(0,), simulated=True, draws=20
    )
    build_report(drawn)
    return {"study": study_folder, "data": dataset_folder, "simulated": drawn}


@pytest.mark.parametrize("name", ["study", "data", "simulated"])
def test_nothing_keeps_anybody_out(browser: webdriver.Chrome, pages: Any, name: str) -> None:
    open_page(browser, pages[name] / "report.html", 1280)
    assert browser.execute_script(LOW_CONTRAST) == []
    assert violations(browser) == []


@pytest.mark.parametrize("name", ["study", "data", "simulated"])
def test_words_are_legible_in_the_dark(browser: webdriver.Chrome, pages: Any, name: str) -> None:
    open_page(browser, pages[name] / "report.html", 1280, "dark")
    assert browser.execute_script(LOW_CONTRAST) == []
    assert violations(browser, "color-contrast") == []


def test_nor_does_a_filter_or_a_narrow_screen(browser: webdriver.Chrome, study_folder: Path) -> None:
    open_page(browser, study_folder / "report.html", 360)
    browser.find_element("css selector", "#filters summary").click()
    browser.find_element("css selector", "[name=group][value=tail]").click()
    browser.find_element("css selector", "[name=recipe][value=flat-weighted]").click()
    assert violations(browser) == []
