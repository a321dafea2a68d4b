"""The page of a localization: complete, quiet, true to what is stored."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from report_pages import Page

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.localization import localize, write_maps
from chestxpert.evaluation.localization.cases import Cases
from chestxpert.evaluation.localization.geometry import coverage
from chestxpert.report.localization.build import build_localization_report
from chestxpert.report.localization.pictures import draw_examples
from chestxpert.report.localization.stored import Stored


@pytest.fixture(scope="module")
def folder(drawn_boxes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of maps, one right and one blind, measured; the second lacks two maps and has an awkward name."""
    room = tmp_path_factory.mktemp("localization")
    cases = Cases.of(Dataset.load(drawn_boxes), "test", "stored").measured
    right = [coverage(case.boxes, 32, 32) for case in cases]
    rng = np.random.default_rng(0)
    blind = [rng.normal(size=(8, 8)) for _ in cases[2:]]
    for name, maps, some in (("right", right, cases), ("<b>blind & dim", blind, cases[2:])):
        ids, findings = [case.image_id for case in some], [case.finding for case in some]
        write_maps(room / name, maps, ids, findings, method="<i>made up</i>", made_by="a test")
    localize([room / "right", room / "<b>blind & dim"], drawn_boxes, room / "out", draws=50)
    return room / "out"


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(build_localization_report(folder, examples=1))


def test_it_is_whole_and_refers_to_nothing_outside(page: Page) -> None:
    assert page.misplaced == []
    page.assert_refers_to_nothing_outside()
    page.assert_drawings_have_names()
    links = [attrs["href"][1:] for tag, attrs in page.tags if tag == "a"]
    assert len(links) == 7  # the skip link and six sections
    assert set(links) <= set(page.ids())
    assert len(page.ids()) == len(set(page.ids()))


def test_it_says_what_is_stored(folder: Path, page: Page) -> None:
    stored = json.loads((folder / "localization.json").read_text())
    text = " ".join(page.text.split()).replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")
    for sentence in stored["sentences"]:
        assert sentence in text
    assert "SIMULATED IMAGES: drawings, no radiographs." in text
    assert "2 of" in text
    assert "have no usable map in every folder" in text
    entry = stored["macro"]["right"]["pointing"]
    assert f"{entry['mean']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]" in text
    for finding, told in stored["findings"].items():
        assert f"{told['lines']['chance']['energy']['mean']:.3f}" in text
        assert finding.replace("_", " ") in text
    assert "Radiographs drawn" not in text


def test_names_of_folders_stay_words(page: Page) -> None:
    assert "<b>blind" not in page.source
    assert "&lt;b&gt;blind &amp; dim" in page.source
    assert "<i>made up" not in page.source


def test_what_is_left_out_is_listed(folder: Path, page: Page) -> None:
    stored = json.loads((folder / "localization.json").read_text())
    missing = stored["maps"]["<b>blind & dim"]["missing"]
    assert len(missing) == 2
    assert all(image_id in page.text for image_id, _ in missing)


def test_examples_show_box_map_and_maximum(folder: Path, page: Page) -> None:
    shown = draw_examples(Stored.read(folder), each=1, seed=0)
    assert shown.note == ""
    assert [each.finding for each in shown.examples] == [
        name.replace("_", " ") for name in json.loads((folder / "localization.json").read_text())["findings"]
    ]
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 2 * len(shown.examples)
    assert all(attrs["alt"].startswith("Drawing, no radiograph,") for attrs in pictures)
    for example in shown.examples:
        right, blind = example.shots
        assert right.words.startswith("maximum inside")
        assert 'class="truth"' in right.shapes
        assert 'class="maximum"' in blind.shapes


def test_boxes_are_drawn_where_they_are(folder: Path, drawn_boxes: Path) -> None:
    (example, *_) = draw_examples(Stored.read(folder), each=1, seed=0).examples
    boxes = Dataset.load(drawn_boxes).boxes
    own = boxes[(boxes["image_id"] == example.image_id) & (boxes["finding"] == example.finding.replace(" ", "_"))]
    pattern = r'class="truth" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    drawn = np.array(re.findall(pattern, example.shots[0].shapes), dtype=float)
    np.testing.assert_allclose(drawn, own[["x", "y", "w", "h"]].to_numpy() / 10.24, atol=0.006)


def test_another_seed_shows_other_cases_and_none_is_shown_twice(folder: Path) -> None:
    stored = Stored.read(folder)
    first, other = (draw_examples(stored, each=2, seed=seed).examples for seed in (0, 1))
    keys = [(each.finding, each.image_id) for each in first]
    assert len(keys) == len(set(keys))
    assert keys != [(each.finding, each.image_id) for each in other]


def test_pages_are_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    first, second = (build_localization_report(folder, tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_without_images(folder: Path, tmp_path: Path) -> None:
    page = Page(build_localization_report(folder, tmp_path / "page.html", images=False))
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert "Pictures were left out when this page was made." in page.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told["data"].update(folder="/nowhere"), "cannot be read"),
        (lambda told: told["data"].update(store="0123456789ab"), "another data set than was measured"),
        (lambda told: told["maps"]["right"].update(place="/nowhere"), "cannot be read"),
        (lambda told: (told.update(covers="original"), told["data"].update(square=False)), "not square"),
    ],
)
def test_the_page_stands_without_pictures(
    folder: Path, tmp_path: Path, change: Callable[[dict[str, object]], None], words: str
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    told = json.loads((copy / "localization.json").read_text())
    change(told)
    (copy / "localization.json").write_text(json.dumps(told))
    page = Page(build_localization_report(copy))
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert words in page.text


def test_a_page_on_which_nothing_can_be_claimed(drawn_boxes: Path, tmp_path: Path) -> None:
    cases = Cases.of(Dataset.load(drawn_boxes), "test", "stored").measured[:2]
    ids, findings = [case.image_id for case in cases], [case.finding for case in cases]
    few = write_maps(tmp_path / "few", [np.full((4, 4), -1)] * 2, ids, findings, method="none", made_by="a test")
    localize([few], drawn_boxes, tmp_path / "out", draws=5)
    page = Page(build_localization_report(tmp_path / "out"))
    assert page.misplaced == []
    assert "too few patients" in page.text
    assert "not defined" in page.text


def test_what_cannot_be_shown(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no localization"):
        build_localization_report(tmp_path)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "localization.json").write_text('{"schema": 99}')
    with pytest.raises(RunError, match="schema 1"):
        build_localization_report(copy)
    with pytest.raises(UsageError, match="0 to 12 examples"):
        build_localization_report(folder, examples=13)
