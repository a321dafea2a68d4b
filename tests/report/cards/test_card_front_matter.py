"""The head of a card is what Hugging Face's own library reads back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from chestxpert.cohort.table import Cohort
from chestxpert.errors import UsageError
from chestxpert.report.cards.front_matter import checked_licence, dataset_front_matter, results
from chestxpert.report.cards.model_card import model_card
from chestxpert.report.cards.subject import CardSubject


def head(text: str) -> dict[str, Any]:
    """The YAML between the first two lines of dashes."""
    _, front, _ = text.split("---\n", 2)
    values: dict[str, Any] = yaml.safe_load(front)
    return values


def test_the_model_index_has_the_figures_of_the_comparison(subject: CardSubject, comparison: dict[str, Any]) -> None:
    card = ModelCard(model_card(subject))
    mine = comparison["recipes"][subject.line]["metrics"]
    found = {each.metric_name: each for each in card.data.eval_results}
    told = found["Macro AUROC"]
    assert (told.metric_type, told.task_type, told.dataset_split) == ("roc_auc", "image-classification", "test")
    assert told.metric_value == mine["macro_auroc"]["mean"]
    assert (told.metric_args["low"], told.metric_args["high"]) == (
        mine["macro_auroc"]["low"],
        mine["macro_auroc"]["high"],
    )
    assert told.metric_args["labels"] == mine["macro_auroc"]["n_defined"]
    assert told.metric_args["runs"] == 2
    assert told.dataset_revision == subject.cohort.fingerprint
    assert told.dataset_args == {
        "images": len(subject.cohort.rows("test")), "patients": subject.cohort.n_patients("test")
    }  # fmt: skip
    assert found["Macro AP, tail"].metric_value == mine["macro_ap_tail"]["mean"]


def test_the_head_goes_through_the_librarys_reader_and_back(subject: CardSubject) -> None:
    values = head(model_card(subject, "apache-2.0"))
    name, read = model_index_to_eval_results(values["model-index"])
    assert name == subject.title
    assert read == results(subject)
    assert values["license"] == "apache-2.0"
    assert values["pipeline_tag"] == "image-classification"
    assert {"research-only", "not-a-medical-device", subject.line} <= set(values["tags"])


def test_what_is_not_defined_is_left_out_of_the_index(subject: CardSubject, changed: Any) -> None:
    none = {"mean": None, "low": None, "high": None}
    bare = {"mean": 0.3, "low": None, "high": None}
    at = changed("recipes", subject.line, "metrics", to={"macro_auroc": none, "macro_ap": bare})
    (only,) = results(at)
    assert only.metric_type == "average_precision"
    assert "low" not in only.metric_args
    nothing = head(model_card(changed("recipes", subject.line, "metrics", to={})))
    assert "model-index" not in nothing


def test_no_licence_is_named_unless_somebody_names_one(subject: CardSubject) -> None:
    text = model_card(subject)
    assert "license" not in head(text)
    assert "Licence: none was named." in text
    assert "Licence: mit, as named by whoever asked for this card." in model_card(subject, "mit")


@pytest.mark.parametrize("wrong", ["", "Apache 2.0", "mit\nevil: true", "-x"])
def test_a_licence_is_an_identifier(wrong: str) -> None:
    assert checked_licence("cc-by-nc-4.0") == "cc-by-nc-4.0"
    with pytest.raises(UsageError, match="by its identifier on Hugging Face"):
        checked_licence(wrong)


def test_a_data_card_has_a_head_of_its_own_kind(subject: CardSubject, dataset_folder: Path) -> None:
    cohort = subject.cohort
    card = DatasetCard(dataset_front_matter(cohort, "a: strange #name", "cc0-1.0") + "# text\n")
    assert card.data.pretty_name == "a: strange #name"
    assert card.data.size_categories == ("n<1K" if len(cohort) < 1000 else "1K<n<10K")
    assert card.data.task_ids == ["multi-label-image-classification"]
    assert card.data.annotations_creators == "machine-generated"
    assert card.data.license == "cc0-1.0"
    small = DatasetCard(dataset_front_matter(Cohort.load(dataset_folder / "cohort.parquet"), "x", None))
    assert small.data.size_categories == "n<1K"
    assert small.data.license is None


def test_who_labelled_other_sources_is_not_claimed(with_table: Any) -> None:
    values = head(dataset_front_matter(with_table(source="padchest").cohort, "x", None))
    assert "annotations_creators" not in values
