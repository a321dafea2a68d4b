"""docs/posthoc.md names every correction as the catalogue does, and its code runs."""

import re
from pathlib import Path

import numpy as np
import pytest

from chestxpert.evaluation.calibration import FITS
from chestxpert.evaluation.calibration.platt import fit_platt
from chestxpert.recipe import POSTHOC, parse_posthoc

PAGE = (Path(__file__).parents[3] / "docs" / "posthoc.md").read_text(encoding="utf-8")


def test_the_page_has_every_correction_with_its_settings_and_its_paper() -> None:
    table = PAGE.partition("## Corrections")[2].partition("\n**")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in rows] == list(POSTHOC)
    for row, (name, method) in zip(rows, POSTHOC.items(), strict=True):
        assert all(f"`{setting}` {default:g}" in row for setting, default in method.settings.items())
        assert len(method.summary) > 20
        first, year = method.source.split(" ")[0].strip(","), re.findall(r"(?:19|20)\d\d", method.source)[0]
        text = " ".join(PAGE.split())
        assert first in text, name
        assert year in text, name


def test_every_calibration_of_the_catalogue_can_be_fitted() -> None:
    assert set(FITS) | {"logit-adjustment", "em"} == set(POSTHOC)


def test_every_correction_that_a_command_on_the_page_asks_for_is_one() -> None:
    asked = re.findall(r"--posthoc (\S+)", PAGE)
    for text in asked:
        if text[0].isalpha() and not text.startswith("changes"):
            parse_posthoc(text.rstrip("`"))
    assert len(asked) > 3


def test_two_positives_among_250_are_pulled_as_far_as_the_page_says() -> None:
    rng = np.random.default_rng(0)
    probs, truth = rng.random(250) / 10, np.zeros(250, bool)
    truth[np.argsort(probs)[[-10, -60]]] = True
    assert fit_platt(truth, probs)(probs).mean() == pytest.approx(0.010, abs=0.0005)
