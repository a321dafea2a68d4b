"""Which trees there are: those that come with ChestXpert, computed ones, and files of one's own."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import LabelError
from chestxpert.labels import CXRLT20, NIH15, NO_FINDING, LabelSpace
from chestxpert.recipe import head_comment
from chestxpert.taxonomy import MAJORITY, builtin_taxonomies, majority_taxonomy, taxonomies_folder, taxonomy
from chestxpert.taxonomy.computed import split_taxonomy


@pytest.mark.parametrize("space", [NIH15, CXRLT20], ids=lambda space: space.name)
@pytest.mark.parametrize("name", builtin_taxonomies())
def test_each_that_comes_with_chestxpert_fits_both_label_spaces(name: str, space: LabelSpace) -> None:
    tree = taxonomy(name, space)
    assert tree.name == name
    assert set(tree.leaves) == set(space.findings)
    assert len(head_comment(builtin_taxonomies()[name])) > 20
    assert all(len(decision.children) > 1 for decision in tree.decisions[1:])


@pytest.mark.parametrize("space", [NIH15, CXRLT20], ids=lambda space: space.name)
def test_the_file_of_the_studys_tree_is_the_split_after_its_majority(space: LabelSpace) -> None:
    assert taxonomy("study", space) == split_taxonomy("study", space, MAJORITY)


def test_the_clinical_tree_has_depths_of_its_own_and_gives_reasons() -> None:
    narrow, wide = taxonomy("clinical", NIH15), taxonomy("clinical", CXRLT20)
    assert narrow.ancestors("Pneumonia") == ("finding", "pulmonary", "opacity")
    assert narrow.ancestors("Pneumothorax") == ("finding", "pleural")
    assert narrow.parent("Cardiomegaly") == "mediastinal"
    assert wide.parent("Cardiomegaly") == "cardiovascular"
    assert wide.parent("Pneumoperitoneum") == "extrathoracic"
    assert "extrathoracic" not in narrow.nodes
    lines = builtin_taxonomies()["clinical"].read_text(encoding="utf-8").splitlines()
    inner = {str(decision.parent) for decision in wide.decisions[2:]}
    for node in inner:  # a comment right above each node, or above the first of its run, says why it is one
        place = next(number for number, line in enumerate(lines) if f"{node}:" in line and "#" not in line)
        assert lines[place - 1].strip().startswith("#"), node


@given(st.lists(st.integers(0, 5), min_size=6, max_size=6), st.integers(1, 4))
def test_the_majority_are_the_most_frequent_and_of_equals_the_first(counts: list[int], count: int) -> None:
    space = LabelSpace("six", (*"abcdef", NO_FINDING))
    tree = majority_taxonomy(space, dict(zip("abcdef", counts, strict=True)), count)
    common = [node for node in tree.decisions[1].children if node != "minority"]
    rare = list(tree.decisions[2].children)
    assert len(common) == count
    assert common == sorted(common)
    assert rare == sorted(rare)
    for one in common:
        for other in rare:
            ahead, behind = counts["abcdef".index(one)], counts["abcdef".index(other)]
            assert ahead > behind or (ahead == behind and one < other)


COUNTS = dict.fromkeys(NIH15.labels, 7) | {"Hernia": 9, NO_FINDING: 1000}


def test_a_computed_tree_goes_by_its_name() -> None:
    tree = taxonomy("majority-2", NIH15, COUNTS)
    assert tree.name == "majority-2"
    assert tree.decisions[1].children == ("Atelectasis", "Hernia", "minority")
    assert [decision.name for decision in tree.decisions] == ["A", "B", "C"]
    assert taxonomy("majority-12", NIH15, COUNTS).decisions[2].children == ("Pneumonia", "Pneumothorax")


@pytest.mark.parametrize(
    ("name", "counts", "words"),
    [
        ("majority-3", None, "needs a data set: give one with --data"),
        ("majority-0", COUNTS, "a count of 1 to 12 over the 14 findings .* but got 0"),
        ("majority-13", COUNTS, "but got 13"),
        ("majority-3", {"Mass": 3}, "missing: Atelectasis, Cardiomegaly"),
        ("clinicl", COUNTS, "Did you mean 'clinical'"),
        ("majority-three", COUNTS, "Did you mean 'majority-COUNT'"),
        ("zzz", COUNTS, "There is: study, clinical, majority-COUNT, or FILE.yaml"),
        ("none.yaml", COUNTS, "The taxonomy none.yaml cannot be read"),
        ("taxonomies/none.yml", COUNTS, "cannot be read"),
    ],
)
def test_what_there_is_not_is_said(name: str, counts: dict[str, int] | None, words: str) -> None:
    with pytest.raises(LabelError, match=words):
        taxonomy(name, NIH15, counts)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntree: {finding: [Mass, {others: rest}]}\n", encoding="utf-8")
    assert taxonomy(str(path), NIH15).decisions[1].children == ("Mass", "others")
    path.write_bytes(b"\x89PNG\xff")
    with pytest.raises(LabelError, match="cannot be read as text"):
        taxonomy(str(path), NIH15)


def test_a_file_called_as_a_tree_that_comes_with_chestxpert_does_not_replace_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study").write_text("name: other\ntree: {finding: rest}\n", encoding="utf-8")
    assert taxonomy("study", NIH15).name == "study"


def test_taxonomies_are_found_where_a_wheel_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert taxonomies_folder() == Path(__file__).parents[2] / "taxonomies"
    inside = tmp_path / included["taxonomies"]
    inside.mkdir(parents=True)
    (inside / "only.yaml").write_text("name: only\ntree: {finding: rest}\n", encoding="utf-8")
    monkeypatch.setattr("chestxpert.taxonomy.choose.__file__", str(tmp_path / "chestxpert" / "taxonomy" / "choose.py"))
    assert list(builtin_taxonomies()) == ["only"]
