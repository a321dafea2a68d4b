"""What the page tells somebody else to type, and what it says about the costs of frozen recipes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chestxpert.report import build_report
from chestxpert.report.figure_costs import costs_figure
from chestxpert.report.provenance import commands, frozen_recipes
from chestxpert.report.read import StudyFolder, read_study

PREPARED = {
    "source": "my data/nih",
    "arguments": {"labels": "nih15", "size": 224, "split": "official", "val_fraction": 0.2, "seed": 0, "other": 1},
}


@pytest.fixture(scope="module")
def study(study_folder: Path) -> StudyFolder:
    return read_study(study_folder)


def _asked(study: StudyFolder, **settings: Any) -> list[str]:
    changed: Mapping[str, Any] = {**study.settings, **settings}
    return [command for _, command in commands(replace(study, settings=changed))]


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("chestxpert compare --data d --out studies/first --freeze", "--data d --out studies/again --freeze"),
        ("chestxpert compare --out=studies/first --data d --resume", "--out=studies/again --data d"),
        ("chestxpert compare --resume --out 'my studies/first' --data 'a b'", "--out studies/again --data 'a b'"),
    ],
)
def test_the_study_is_made_again_into_a_new_folder(study: StudyFolder, recorded: str, shown: str) -> None:
    again, resumed, *_ = _asked(study, command=recorded)
    assert again == f"chestxpert compare {shown}"
    assert resumed.count("--resume") == 1
    assert shlex.split(resumed.replace("--resume", "")) == shlex.split(recorded.replace("--resume", ""))


def test_a_command_with_an_open_quote_is_still_shown(study: StudyFolder) -> None:
    assert "studies/again" in _asked(study, command="chestxpert compare --data it's --out first")[0]


def test_the_data_set_is_prepared_first(study: StudyFolder) -> None:
    first, second, *_ = _asked(study, prepared=PREPARED)
    assert first == (
        "chestxpert data prepare 'my data/nih' --out data/nih --labels nih15 --size 224 --split official "
        "--val-fraction 0.2 --seed 0"
    )
    assert second.startswith("chestxpert compare --data data/nih")


@pytest.mark.parametrize(
    "prepared", [None, "nih", {}, {"source": {"kind": "nih"}}, {"source": None}, {"arguments": {"size": 224}}]
)
def test_without_a_recorded_source_nothing_is_said_about_it(study: StudyFolder, prepared: object) -> None:
    assert not any("data prepare" in command for command in _asked(study, prepared=prepared))


@pytest.mark.parametrize("source", ["nih", {"kind": "nih", "path": "nih"}])
def test_a_source_without_arguments_will_do(study: StudyFolder, source: object) -> None:
    assert (
        _asked(study, prepared={"source": source, "arguments": None})[0] == "chestxpert data prepare nih --out data/nih"
    )


def test_a_simulated_source_is_called_simulated(
    study_factory: Callable[..., Path], tmp_path: Path, study: StudyFolder
) -> None:
    folder = study_factory(tmp_path, recipes=("flat-basic",), seeds=(0,), simulated=True, scale=0.5, draws=20)
    drawn = read_study(folder)
    words = commands(replace(drawn, settings={**drawn.settings, "prepared": PREPARED}))[0][0]
    assert "simulated" in words
    real = commands(replace(study, settings={**study.settings, "prepared": PREPARED}))[0][0]
    assert "simulated" not in real


def test_the_parser_understands_the_prepare_line(study: StudyFolder) -> None:
    from chestxpert.cli.main import build_parser

    arguments = build_parser().parse_args(shlex.split(_asked(study, prepared=PREPARED)[0])[1:])
    assert (arguments.sources, arguments.val_fraction, arguments.seed) == ([Path("my data/nih")], 0.2, 0)


def test_several_sources_are_all_named(study: StudyFolder) -> None:
    source = {"kind": "nih", "path": "a b.tar.gz, tables", "paths": ["a b.tar.gz", "tables"]}
    line = _asked(study, prepared={"source": source, "arguments": {"fit": "crop"}})[0]
    assert line == "chestxpert data prepare 'a b.tar.gz' tables --out data/nih --fit crop"


def test_costs_of_trained_backbones_count_images(study: StudyFolder) -> None:
    assert frozen_recipes(study) == []
    caption = costs_figure(study.results).caption
    assert "pass of an image through a network" in caption
    assert "cached features" not in caption


def test_costs_of_frozen_recipes_count_cached_features(study: StudyFolder, study_copy: Path) -> None:
    caption = costs_figure(study.results, study.results.recipes).caption
    assert "images seen counts passes of cached features through the heads" in caption
    assert "training time leaves out the one-time computation" in caption
    assert "pass of an image through a network" not in caption
    for path in (study_copy / "runs" / "flat-basic").glob("*/recipe.yaml"):
        path.write_text(path.read_text().replace("freeze: false", "freeze: true"))
    assert frozen_recipes(read_study(study_copy)) == ["flat-basic"]
    page = build_report(study_copy).read_text()
    assert "Where the backbone was frozen (flat-basic), images seen counts passes of cached features" in page


COPIED = {
    "dataset": "data/plain nih",
    "arguments": {
        "target": None, "copies": {"Tortuous Aorta": 12, "Hernia": 3}, "like_study": False, "max_copies": 7, "seed": 4,
        "augment": {"rotate": 5.0, "hflip": True},
    },
}  # fmt: skip


def test_a_data_set_with_copies_is_made_in_two_steps(study: StudyFolder) -> None:
    from chestxpert.cli.main import build_parser

    first, second, *_ = _asked(study, prepared={**PREPARED, "oversample": COPIED})
    assert first.startswith("chestxpert data prepare 'my data/nih' --out 'data/plain nih' --labels")
    arguments = build_parser().parse_args(shlex.split(second)[1:])
    assert (arguments.dataset, arguments.as_dataset) == (Path("data/plain nih"), Path("data/nih"))
    assert arguments.copies == [("Tortuous Aorta", 12), ("Hernia", 3)]
    assert arguments.changes == ["rotate=5.0", "hflip=true"]
    assert (arguments.max_copies, arguments.seed, arguments.target) == (7, 4, None)


@pytest.mark.parametrize(
    ("changed", "shown"),
    [({"target": 0.1, "copies": {}}, "--target 0.1 --max"), ({"like_study": True}, "--like-study --max")],
)
def test_each_way_of_choosing_copies_is_shown(study: StudyFolder, changed: dict[str, Any], shown: str) -> None:
    record = {**COPIED, "arguments": {**COPIED["arguments"], **changed}}
    assert shown in _asked(study, prepared={**PREPARED, "oversample": record})[1]


@pytest.mark.parametrize("record", [None, {}, {"dataset": "d"}, {"arguments": {}}, "made elsewhere"])
def test_without_a_record_of_copies_nothing_is_said_about_them(study: StudyFolder, record: object) -> None:
    asked = _asked(study, prepared={**PREPARED, "oversample": record})
    assert not any("oversample" in command for command in asked)
    assert "--out data/nih " in asked[0]
