"""What holds of every draw of the catalogue."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from chestxpert.errors import RecipeError
from chestxpert.imbalance.draws import FUNCTIONS, draw_rows
from chestxpert.recipe import DRAWS, Draw


def labels(rows: int = 300, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, 5)) < [0.4, 0.2, 0.1, 0.03, 0.0]


def test_the_catalogue_lists_each_draw_with_its_settings_and_defaults() -> None:
    assert FUNCTIONS.keys() == DRAWS.keys()
    for name, function in FUNCTIONS.items():
        keywords = {
            parameter.name: parameter.default
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        assert keywords == DRAWS[name].settings, name
        assert len(DRAWS[name].summary) > 10
        assert name == "instance" or "20" in DRAWS[name].source


@pytest.mark.parametrize("name", DRAWS)
def test_rows_exist_and_the_generator_alone_decides(name: str) -> None:
    given = labels()
    first, second = (draw_rows(Draw(name), given, np.random.default_rng(3), 0.5) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.dtype == np.int64
    assert len(first) > 0
    assert first.min() >= 0
    assert first.max() < len(given)


def test_an_instance_draw_has_each_row_once() -> None:
    rows = draw_rows(Draw(), labels(), np.random.default_rng(0), 1.0)
    assert np.array_equal(np.sort(rows), np.arange(300))


def test_a_draw_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n"
        "def rarest(labels, rng, progress, times=2):\n"
        "    return np.repeat(np.flatnonzero(labels[:, 3]), int(times))\n",
        encoding="utf-8",
    )
    rows = draw_rows(Draw(f"{file}:rarest", {"times": 3}), labels(), np.random.default_rng(0), 1.0)
    assert np.array_equal(rows, np.repeat(np.flatnonzero(labels()[:, 3]), 3))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("labels[:, 0]", "type bool. From a mask, np.flatnonzero makes row numbers"),
        ("labels[:1] * 1", "one whole number a row drawn"),
        ("[0.5, 1.5]", "type float64"),
        ("[]", "drew 0 of 300 rows"),
        ("[3]", "drew 1 of 300 rows"),
        ("[0, 300]", "drew row 300, but rows are counted from 0 to 299"),
        ("[0, -1]", "drew row -1"),
    ],
)
def test_a_draw_of_ones_own_that_gives_no_rows_is_named(tmp_path: Path, body: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"def drawn(labels, rng, progress):\n    return {body}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=words) as caught:
        draw_rows(Draw(f"{file}:drawn"), labels(), np.random.default_rng(0), 1.0)
    assert "mine.py:drawn" in str(caught.value)
