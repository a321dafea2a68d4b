"""`chestxpert taxonomy` through the real entry point."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chestxpert.cli.main import main
from chestxpert.cohort.table import Cohort
from chestxpert.dataset import prepare
from chestxpert.labels import CXRLT20
from chestxpert.report.shown_taxonomy import ShownTaxonomy
from chestxpert.taxonomy import builtin_taxonomies, parse_taxonomy, taxonomy


@pytest.fixture(scope="module")
def data(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taxonomy") / "data"
    prepare(tiny_nih, folder, size=32, workers=1)
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert main(["taxonomy", *map(str, words)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def test_list_names_each_and_what_is_computed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "list").splitlines()
    assert [line.split()[0] for line in lines[:-2]] == [*builtin_taxonomies(), "majority-COUNT"]
    assert all(len(line.split()) > 5 for line in lines[:-2])
    assert Path(lines[-1].removeprefix("Their files are in ")).is_dir()


def test_show_draws_the_studys_tree_over_nih15_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "show").splitlines()
    assert lines[0] == "study: 3 decisions over nih15, 14 findings at depths 2 to 3"
    assert lines[2:4] == ["root (decision A)", "└─ finding (decision B)"]
    assert lines[-1].endswith("└─ Pneumothorax")


def test_show_counts_training_images(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort = Cohort.load(data / "cohort.parquet")
    text = said(capsys, "show", "clinical", "--data", data)
    counts, images = cohort.counts("train"), len(cohort.rows("train"))
    for finding in ("Effusion", "Hernia", "Pneumonia"):
        cells = next(line for line in text.splitlines() if f"─ {finding} " in line).split()
        assert cells[-5] == str(counts[finding])
        assert cells[-4] == f"{100 * counts[finding] / images:.1f}"
    assert f"; {images} training images" in text.splitlines()[0]
    assert "unknown" not in text


def test_a_computed_tree_is_drawn_by_count_or_by_name(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "show", "--majority-count", "2", "--data", data)
    assert text == said(capsys, "show", "majority-2", "--data", data)
    counts = Cohort.load(data / "cohort.parquet").counts("train")
    rare = text.partition("minority")[2]
    top = sorted((name for name in counts if name != "No Finding"), key=lambda name: -counts[name])[:2]
    assert all(name in text.partition("minority")[0] and f"─ {name} " not in rare for name in top)


def test_yaml_is_a_file_to_start_from(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "show", "--majority-count", "2", "--data", data, "--format", "yaml")
    mine = tmp_path / "mine.yaml"
    mine.write_text(text, encoding="utf-8")
    cohort = Cohort.load(data / "cohort.parquet")
    assert parse_taxonomy(text, cohort.label_space).name == "majority-2"
    drawn = said(capsys, "show", mine, "--data", data)
    assert drawn == said(capsys, "show", "majority-2", "--data", data)


def test_svg_is_a_picture_of_its_own(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ElementTree.fromstring(said(capsys, "show", "clinical", "--data", data, "--format", "svg"))
    name = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{name}svg"
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    words = [node.text or "" for node in root.iter(f"{name}text")]
    for node in taxonomy("clinical", Cohort.load(data / "cohort.parquet").label_space).nodes:
        assert node.replace("_", " ") in words
    bars = list(root.iter(f"{name}rect"))
    assert len(bars) == len(taxonomy("clinical", Cohort.load(data / "cohort.parquet").label_space).nodes)
    for bar in bars:
        assert 0 <= float(bar.get("x", "-1")) <= float(bar.get("x", "-1")) + float(bar.get("width", "-1")) <= width
    assert all(float(node.get("y", "-1")) <= height for node in root.iter(f"{name}text"))
    uncounted = ElementTree.fromstring(said(capsys, "show", "clinical", "--labels", "cxrlt20", "--format", "svg"))
    assert not list(uncounted.iter(f"{name}rect"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", None, "no-such"])
def test_a_terminal_without_lines_gets_plain_signs(encoding: str | None) -> None:
    shown = ShownTaxonomy.over("clinical", "cxrlt20")
    assert shown.drawn("text", encoding).isascii()
    assert "├─ " in shown.drawn("text", sys.getdefaultencoding())
    assert shown.tree.label_space == CXRLT20


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["show", "clincal"], 1, "Did you mean 'clinical'"),
        (["show", "--majority-count", "3"], 1, "give one with --data"),
        (["show", "clinical", "--majority-count", "3"], 2, "not allowed with"),
        (["show", "--labels", "cxrlt20", "--data", "x"], 2, "not allowed with"),
        (["show", "--data", "nowhere"], 1, "nowhere is no data set"),
        (["show", "{data}/cohort.parquet"], 1, "There is no taxonomy"),
        (["show", "--majority-count", "0"], 2, "is at least 1"),
        (["shwo"], 2, "Did you mean 'show'"),
        (["show", "--labels", "nih14"], 2, "Did you mean 'nih15'"),
    ],
)
def test_what_cannot_be_shown_is_said(
    words: list[str], code: int, told: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["taxonomy", *(word.format(data=data) for word in words)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err
