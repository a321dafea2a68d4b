"""A model card holds the figures of the comparison, in sections of Mitchell et al., and says what it has none of."""

from __future__ import annotations

import functools
import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from card_reading import Card

from chestxpert.cli.main import main
from chestxpert.errors import RunError, UsageError
from chestxpert.report.cards import build_model_card
from chestxpert.report.cards.choose import read_subject
from chestxpert.report.cards.details import what_it_is
from chestxpert.report.cards.model_card import model_card
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.methods import recorded
from chestxpert.report.results import Results, finding_name
from chestxpert.report.scales import MINUS, signed

SECTIONS = [
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data", "Quantitative analyses",
    "Ethical considerations", "Caveats", "Comparison with other recipes", "How to make it again", "References",
]  # fmt: skip
METRICS = {"Macro AUROC": "macro_auroc", "Macro AP, findings alone": "macro_ap_findings", "Exact match": "exact_match"}


@pytest.fixture(scope="module")
def card(subject: CardSubject) -> Card:
    return Card.read(model_card(subject))


def number(words: str) -> float:
    """The first number of a cell."""
    found = re.match(r"[+-]?[\d.]+", words.replace(MINUS, "-"))
    assert found, words
    return float(found[0])


def triple(words: str) -> list[float]:
    """Value and interval of ``0.742 [0.711, 0.771]``, or of ``+0.1 to +0.2``."""
    return [float(each) for each in re.findall(r"[+-]?\d+\.\d+", words.replace(MINUS, "-"))]


def stored(entry: dict[str, Any]) -> list[float]:
    return [pytest.approx(entry[key], abs=5.1e-4) for key in ("mean", "low", "high") if entry[key] is not None]


def test_the_sections_are_those_of_the_paper_and_headings_go_down_one_step_at_a_time(card: Card) -> None:
    assert [title for level, title in card.headings if level == 2] == SECTIONS
    levels = [level for level, _ in card.headings]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert card.headings[0][1] == f"Model card: {read_line(card)} of second"
    assert "not a medical device" in card.first.text


def read_line(card: Card) -> str:
    return str(card.headings[0][1]).removeprefix("Model card: ").partition(" of ")[0]


def test_the_best_recipe_by_validation_is_chosen(card: Card, comparison: dict[str, Any]) -> None:
    scores = {name: entry["validation"]["macro_ap"] for name, entry in comparison["recipes"].items()}
    best = max(scores, key=lambda name: scores[name])
    assert read_line(card) == best
    assert f"Of 4 recipes it has the highest macro AP on validation images ({scores[best]:.3f})" in (
        card.parts["Model details"].text
    )


def test_means_over_labels_are_those_of_the_comparison(card: Card, comparison: dict[str, Any]) -> None:
    mine = comparison["recipes"][read_line(card)]["metrics"]
    for words, metric in METRICS.items():
        row = card.row("Metrics", words)
        assert triple(row["value [95 %]"]) == stored(mine[metric])
        assert number(row["spread over seeds"]) == pytest.approx(mine[metric]["sd_seeds"], abs=5.1e-4)
        assert row["labels"] == str(mine[metric].get("n_defined", "-"))
    assert "60 bootstrap draws" in card.parts["Metrics"].text


def test_how_to_read_intervals_and_calibration_is_said_where_they_stand(
    card: Card, subject: CardSubject, changed: Callable[..., CardSubject]
) -> None:
    words = "a value may stand near the upper end of its own"
    assert words in card.parts["Metrics"].text
    assert "below 1 probabilities are too extreme" in card.parts["Calibration"].text
    older = changed("recipes", subject.line, "metrics", "macro_ap", "interval", to="percentile")
    assert words not in Card.read(model_card(older)).parts["Metrics"].text
    without = changed("calibration", to={})
    assert "too extreme" not in Card.read(model_card(without)).parts["Calibration"].text


def test_findings_have_the_figures_of_the_comparison(
    card: Card, comparison: dict[str, Any], subject: CardSubject
) -> None:
    each = comparison["recipes"][read_line(card)]["per_label"]
    operating = comparison["operating"]["recipes"][read_line(card)]["per_label"]
    tested = subject.cohort.counts("test")
    for label, entry in each.items():
        row = card.row("Finding by finding", finding_name(label))
        assert int(row["positive"].replace("\N{NARROW NO-BREAK SPACE}", "")) == tested[label]
        assert triple(row["AUROC"]) == stored(entry["auroc"])
        assert triple(row["F1"]) == stored(entry["f1"])
        assert triple(row["sensitivity"]) == stored(operating[label]["sensitivity"])
        assert number(row["threshold"]) == pytest.approx(entry["threshold"], abs=5.1e-4)
        assert row["group"] == comparison["cohort"]["groups"].get(label, "")


def test_what_stands_below_analyses_is_stored_so(card: Card, comparison: dict[str, Any]) -> None:
    line = read_line(card)
    head = card.row("Head, medium and tail", "Head")
    assert triple(head["AP"]) == stored(comparison["groups"]["recipes"][line]["head"]["ap"])
    slope = card.row("Calibration", "Effusion")["slope"]
    assert triple(slope) == stored(comparison["calibration"]["recipes"][line]["per_label"]["Effusion"]["slope"])
    above = comparison["floor"]["above"][line]["per_label"]["Effusion"]["auroc"]
    row = card.row("Above the shortcut floor", "Effusion")
    assert [number(row["difference"]), *triple(row["95 % interval"])] == stored(above)
    lead = comparison["operating"]["net_benefit"]["recipes"][line]["Effusion"]["lead"]["low"]
    asked = comparison["operating"]["net_benefit"]["thresholds"]
    useful = [f"{t:g}" for t, low in zip(asked, lead, strict=True) if low > 1e-12]
    (told,) = list(card.row("Net benefit", "Effusion").values())[1:]
    assert told == (", ".join(useful) or "at none")


def test_subgroups_and_their_gaps_are_stored_so(card: Card, comparison: dict[str, Any]) -> None:
    groups = comparison["subgroups"]["recipes"][read_line(card)]
    _, gaps = card.parts["Factors"].tables
    rows = {(row[0], row[1], row[2]): row for row in gaps[1:]}
    found = 0
    for by, entry in groups.items():
        for group, gap in entry["gaps"].items():
            for metric, words in (("sensitivity", "sensitivity"), ("auroc", "AUROC")):
                told = gap["macro"][metric]
                if told["mean"] is None:
                    continue
                row = rows[by, f"{group} minus {entry['reference']}", words]
                assert row[4] == signed(told["mean"])
                clear = told["low"] > 0 or told["high"] < 0
                assert row[3] == ("gap shown" if clear else "no gap shown")
                found += 1
    assert found


def test_training_data_is_counted_in_the_cohort(card: Card, subject: CardSubject) -> None:
    counts = subject.cohort.counts("train")
    head, *rows = card.parts["Training data"].tables[1]
    column = head.index("Training: images")
    told = {row[0]: int(row[column].replace("\N{NARROW NO-BREAK SPACE}", "")) for row in rows}
    assert told == {finding_name(label): count for label, count in counts.items()}


def test_recipes_are_given_in_full_and_commands_make_them_again(card: Card, subject: CardSubject) -> None:
    ((language, text),) = card.parts["Recipe"].fences
    assert language == "yaml"
    assert yaml.safe_load(text)["name"] == read_line(card)
    ((_, shell),) = card.parts["How to make it again"].fences
    assert "--out studies/again" in shell
    assert f"chestxpert card {subject.study.folder}" in shell
    assert subject.cohort.fingerprint in card.parts["How to make it again"].text
    assert "0f4a7c1d9be2" in card.parts["Model details"].text
    assert "Begun on: not recorded." in card.parts["Model details"].items


def test_works_that_it_names_are_in_its_references(card: Card) -> None:
    ((language, text),) = card.parts["References"].fences
    assert language == "bibtex"
    assert "@software{chestxpert" in text
    assert "loshchilov2019decoupled" in text


def test_the_verdict_and_own_contrasts_stand_there(card: Card, comparison: dict[str, Any]) -> None:
    part = card.parts["Comparison with other recipes"]
    assert comparison["verdict"].split("(")[0].strip() in part.text.replace("\N{NO-BREAK SPACE}", " ")
    mine = [
        c for c in comparison["contrasts"] if c["metric"] == "macro_ap" and read_line(card) in (c["a"], c["b"])
    ]  # fmt: skip
    assert len(part.tables[0]) == 1 + len(mine)
    assert [row[2] for row in part.tables[0][1:]] == [signed(c["difference"]) for c in mine]


def test_a_date_that_runs_record_is_told(card_study: Path, tmp_path: Path) -> None:
    study = Path(shutil.copytree(card_study, tmp_path / "dated"))
    files = sorted(study.glob("runs/flat-basic/*/environment.json"))
    for file, date in zip(files, ["2026-02-03", "2026-02-01"], strict=True):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"date": date}))
    told = Card.read(build_model_card(study, recipe="flat-basic").read_text()).parts["Model details"].items
    assert "Begun on: 2026-02-01 and 2026-02-03." in told
    file.write_text(json.dumps({key: v for key, v in json.loads(file.read_text()).items() if key != "date"}))
    told = Card.read(build_model_card(study, recipe="flat-basic").read_text()).parts["Model details"].items
    assert "Begun on: 2026-02-03 and not recorded of some runs." in told


def test_simulated_images_are_said_first_and_loud(study_factory: Callable[..., Path], tmp_path: Path) -> None:
    study = study_factory(tmp_path / "drawn", recipes=("flat-basic",), seeds=(0,), simulated=True, draws=5)
    text = build_model_card(study).read_text(encoding="utf-8")
    card = Card.read(text)
    assert card.first.paragraphs[0].startswith("SIMULATED IMAGES.")
    assert card.parts["Caveats"].items[0].startswith("SIMULATED IMAGES.")
    assert {"simulated-images", "not-radiographs"} <= set(card.head["tags"])
    assert "chest-x-ray" not in card.head["tags"]
    assert "no radiographs" in card.head["model-index"][0]["results"][0]["dataset"]["name"]
    assert "NIH Clinical Center" not in text
    assert "mined from radiology reports" not in text
    assert "What other seeds would change is not measured: it has one." in card.parts["Caveats"].items
    assert "It is the study's only recipe." in card.parts["Model details"].text


def test_real_images_are_not_called_simulated(subject: CardSubject, card: Card) -> None:
    assert "SIMULATED" not in model_card(subject)
    assert "chest-x-ray" in card.head["tags"]


LATER = (
    "groups", "operating", "calibration", "subgroups", "floor", "bootstrap", "permutations", "margin", "diagnosis",
    "best", "baseline", "primary", "taxonomy",
)  # fmt: skip


def test_an_older_comparison_has_a_card_that_says_what_it_lacks(card_study: Path, tmp_path: Path) -> None:
    study = Path(shutil.copytree(card_study, tmp_path / "old"))
    file = study / "comparison.json"
    old = {key: value for key, value in json.loads(file.read_text()).items() if key not in LATER}
    for entry in old["recipes"].values():
        for key in ("validation", "levels", "tree"):
            entry.pop(key, None)
        for label in entry["per_label"].values():
            for key in ("thresholds", "threshold", "threshold_fallback", "precision", "recall"):
                label.pop(key, None)
    file.write_text(json.dumps(old))
    card = Card.read(build_model_card(study).read_text(encoding="utf-8"))
    assert read_line(card) == "flat-basic"
    assert "records no validation figures" in card.parts["Model details"].text
    for title in (
        "Head, medium and tail",
        "Calibration",
        "Above the shortcut floor",
        "Net benefit",
        "Another source of labels",
    ):
        assert card.parts[title].text == "Not measured."
    assert "The thresholds are not recorded." in card.parts["Decision thresholds"].text
    assert card.row("Finding by finding", "Hernia")["threshold"] == "not defined"
    assert "Gaps between subgroups: not measured." in card.parts["Ethical considerations"].items
    assert any(item.startswith("Subgroups were not measured") for item in card.parts["Not measured"].items)


def places(comparison: dict[str, Any], line: str) -> list[tuple[str, ...]]:
    """Keys that a comparison can lack: of the whole, of the line, and of what is stored on it elsewhere."""
    needed = {"schema", "recipes", "contrasts", "verdict", "cohort"}
    found = [(key,) for key in comparison if key not in needed]
    found += [("recipes", line, key) for key in comparison["recipes"][line] if key not in ("architecture", "seeds")]
    found += [("cohort", "groups"), ("cohort", "fingerprint"), ("cohort", "simulated")]
    for part in ("operating", "calibration", "subgroups", "floor", "groups"):
        found += [(part, key) for key in comparison[part]]
    found += [("floor", "above", line), ("floor", "above", line, "per_label"), ("subgroups", "recipes", line, "age")]
    found += [("operating", "net_benefit", key) for key in comparison["operating"]["net_benefit"]]
    return found


def test_whatever_part_is_missing_there_is_a_card(
    subject: CardSubject,
    comparison: dict[str, Any],
    changed: Callable[..., CardSubject],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorded, "_values", functools.cache(recorded._values))  # the recipes stay as they are
    every = places(comparison, subject.line)
    assert len(every) > 40
    for keys in every:
        text = model_card(changed(*keys))
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS, keys


@pytest.mark.parametrize("part", ["groups", "operating", "calibration", "subgroups", "floor", "bootstrap"])
@pytest.mark.parametrize("value", [None, "rubbish"])
def test_a_part_of_another_kind_is_as_good_as_none(
    part: str, value: str | None, changed: Callable[..., CardSubject]
) -> None:
    assert re.findall(r"^## (.+)$", model_card(changed(part, to=value)), re.MULTILINE) == SECTIONS


def test_a_line_is_chosen_by_name_and_a_wrong_one_is_told_the_others(card_study: Path) -> None:
    chosen = read_subject(card_study, "flat-weighted")
    assert chosen.line == "flat-weighted"
    assert chosen.why.startswith("It was asked for by its name.")
    with pytest.raises(UsageError, match="no recipe 'flat-bsic'"):
        read_subject(card_study, "flat-bsic")


def test_what_belongs_to_a_run_is_not_asked_of_a_study(card_study: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--data belongs to a run"):
        read_subject(card_study, data=tmp_path)
    with pytest.raises(UsageError, match="is no study"):
        read_subject(tmp_path, "flat-basic")
    with pytest.raises(RunError, match="no finished run"):
        read_subject(tmp_path)


def test_a_recipe_that_the_study_measured_in_part_says_so(card_study: Path, comparison: dict[str, Any]) -> None:
    detailed = comparison["operating"]["detailed"]
    (line,) = set(comparison["recipes"]) - set(detailed)
    card = Card.read(model_card(read_subject(card_study, line)))
    assert any("have intervals in this study for" in item for item in card.parts["Caveats"].items)
    assert "Net benefit: not measured." in card.parts["Caveats"].items
    assert card.parts["Factors"].tables == []
    assert not any("have intervals in this study for" in item for item in caveats_of(card_study, detailed[0]))


def caveats_of(study: Path, line: str) -> list[str]:
    return Card.read(model_card(read_subject(study, line))).parts["Caveats"].items


def test_the_command_writes_the_card_into_the_study(
    card_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Path(shutil.copytree(card_study, tmp_path / "study"))
    assert main(["card", str(study), "--license", "mit"]) == 0
    card = study / "model-card.md"
    assert capsys.readouterr().out == f"Card: {card}\n"
    first = card.read_bytes()
    assert Card.read(first.decode()).head["license"] == "mit"
    assert main(["card", str(study), "--license", "mit"]) == 0
    assert card.read_bytes() == first


def test_more_than_one_seed_is_called_a_mean(subject: CardSubject, changed: Callable[..., CardSubject]) -> None:
    assert "means over 2 seeds, not those of one of them" in what_it_is(subject)
    single = changed("recipes", subject.line, "seeds", to=[0])
    assert "those of its one seed" in what_it_is(single)
    assert isinstance(single.results, Results)
