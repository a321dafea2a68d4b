"""Mixes against their formulas written again in NumPy, and what holds of all of them."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import RecipeError
from chestxpert.imbalance.mixes import FUNCTIONS, Examples, cutmix, mixed, partner_draw
from chestxpert.recipe import MIXES, Draw, Mix

ROWS, OUTPUTS, SIDE = 8, 5, 24


def examples(seed: int, features: bool = False) -> Examples:
    rng = np.random.default_rng(seed)
    shape = (ROWS, 7) if features else (ROWS, 1, SIDE, SIDE)
    return Examples(
        torch.from_numpy(rng.uniform(0, 255, shape).astype(np.float32)),
        torch.from_numpy((rng.random((ROWS, OUTPUTS)) < 0.4).astype(np.float32)),
        torch.from_numpy(rng.random((ROWS, OUTPUTS)) < 0.7),
    )


class Fixed(np.random.Generator):
    """A generator whose beta is what the test says."""

    def __init__(self, share: float, seed: int = 0) -> None:
        super().__init__(np.random.PCG64(seed))
        self.share, self.asked = share, (0.0, 0.0)

    def beta(self, a: float, b: float, size: None = None) -> float:  # type: ignore[override]
        self.asked = (a, b)
        return self.share


def test_the_catalogue_lists_each_mix_with_its_settings_and_defaults() -> None:
    assert FUNCTIONS.keys() == MIXES.keys()
    for name, function in FUNCTIONS.items():
        keywords = {
            parameter.name: parameter.default
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        assert keywords == MIXES[name].settings, name
        assert len(MIXES[name].summary) > 10
        assert name == "none" or "20" in MIXES[name].source


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize(
    ("name", "beta", "first_share"), [("mixup", (0.3, 0.3), 0.8), ("balanced-mixup", (0.3, 1.0), 0.2)]
)
def test_mixup_averages_inputs_and_targets(
    name: str, beta: tuple[float, float], first_share: float, features: bool
) -> None:
    first, second, rng = examples(0, features), examples(1, features), Fixed(0.8)
    out = mixed(Mix(name, {"alpha": 0.3}), first, second, rng)
    assert rng.asked == beta
    for part in ("inputs", "targets"):
        a, b = (getattr(batch, part).numpy().astype(np.float64) for batch in (first, second))
        assert np.allclose(getattr(out, part).numpy(), first_share * a + (1 - first_share) * b, rtol=1e-5)
    assert np.array_equal(out.known.numpy(), first.known.numpy() & second.known.numpy())


@pytest.mark.parametrize(("share", "whose"), [(1.0, 0), (0.0, 1)])
def test_a_mix_that_is_all_of_one_image_knows_what_that_one_knows(share: float, whose: int) -> None:
    batches = examples(0), examples(1)
    out = mixed(Mix("mixup"), *batches, Fixed(share))
    assert torch.equal(out.inputs, batches[whose].inputs)
    assert torch.equal(out.targets, batches[whose].targets)
    assert torch.equal(out.known, batches[whose].known)


@given(st.floats(0, 1), st.integers(0, 500), st.integers(3, 40), st.integers(3, 40))
def test_cutmix_pastes_one_rectangle_and_weighs_by_its_area(share: float, seed: int, height: int, width: int) -> None:
    targets = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    known = torch.tensor([[True, True, True, False]])
    first = Examples(torch.zeros(1, 1, height, width), targets, known)
    second = Examples(torch.ones(1, 1, height, width), torch.tensor([[0.0, 1.0, 1.0, 0.0]]), torch.ones_like(known))
    out = cutmix(first, second, Fixed(share, seed))
    pasted = out.inputs[0, 0].numpy() == 1
    lines, columns = np.flatnonzero(pasted.any(axis=1)), np.flatnonzero(pasted.any(axis=0))
    assert pasted.sum() == len(lines) * len(columns)  # a rectangle, without holes
    for side, edges in ((height, lines), (width, columns)):
        assert len(edges) == 0 or edges[-1] - edges[0] + 1 == len(edges)
        assert len(edges) <= side * np.sqrt(1 - share) + 1e-9
    area = pasted.mean()
    assert out.targets[0].tolist() == pytest.approx([1 - area, area, 1, 0], abs=1e-6)
    assert out.known[0].tolist() == [True, True, True, area == 1]


def test_a_rectangle_in_the_middle_leaves_the_share_that_was_drawn() -> None:
    """Yun et al.'s equation 2: sides W sqrt(1 - l) and H sqrt(1 - l); .75 of the image stays."""
    first, second = examples(0), examples(1)
    areas = []
    for seed in range(200):
        out = cutmix(first, second, Fixed(0.75, seed))
        areas.append(float((out.inputs[0] == second.inputs[0]).float().mean()))
    assert max(areas) == 0.25
    assert min(areas) < 0.1  # cut at the border
    assert len(set(areas)) > 20


@pytest.mark.parametrize("name", MIXES)
def test_the_inputs_of_a_mix_stay_as_they_were(name: str) -> None:
    first, second = examples(0), examples(1)
    out = mixed(Mix(name), first, second, np.random.default_rng(2))
    for batch, seed in ((first, 0), (second, 1)):
        assert torch.equal(batch.inputs, examples(seed).inputs)
        assert torch.equal(batch.targets, examples(seed).targets)
        assert torch.equal(batch.known, examples(seed).known)
    assert (name == "none") == torch.equal(out.inputs, first.inputs)
    assert float(out.targets.min()) >= 0
    assert float(out.targets.max()) <= 1
    assert (out.inputs.dtype, out.targets.dtype, out.known.dtype) == (torch.float32, torch.float32, torch.bool)


@pytest.mark.parametrize("name", MIXES)
def test_a_share_of_the_batch_gives_its_share_of_the_mix(name: str) -> None:
    first, second = examples(0), examples(1)
    whole = mixed(Mix(name), first, second, np.random.default_rng(5))
    for rows in (slice(0, 3), slice(3, 8)):
        part = mixed(Mix(name), first[rows], second[rows], np.random.default_rng(5))
        assert torch.equal(part.inputs, whole.inputs[rows])
        assert torch.equal(part.targets, whole.targets[rows])
        assert torch.equal(part.known, whole.known[rows])


def test_partners_are_drawn_class_balanced_or_are_the_batch_itself() -> None:
    balanced = [name for name in MIXES if partner_draw(Mix(name)) == Draw("class-balanced")]
    assert balanced == ["balanced-mixup", "balanced-cutmix"]
    assert [name for name in MIXES if partner_draw(Mix(name)) is None] == ["none", "mixup", "cutmix"]


def test_halves_are_rows_and_their_partners() -> None:
    first, second = examples(3).halves()
    assert len(first) == len(second) == 4
    assert torch.equal(torch.cat([first.inputs, second.inputs]), examples(3).inputs)


@pytest.mark.parametrize("name", ["mixup", "balanced-mixup", "cutmix", "balanced-cutmix"])
def test_alpha_is_above_zero(name: str) -> None:
    with pytest.raises(RecipeError, match="alpha is above 0"):
        mixed(Mix(name, {"alpha": 0}), examples(0), examples(1), np.random.default_rng(0))


def test_features_have_no_regions_to_paste() -> None:
    with pytest.raises(RecipeError, match="pastes regions of images"):
        cutmix(examples(0, features=True), examples(1, features=True), np.random.default_rng(0))


def test_a_mix_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from chestxpert.imbalance import Examples\n"
        "def brighter(first, second, rng, times=1):\n"
        "    brighter = first.inputs.maximum(times * second.inputs)\n"
        "    return Examples(brighter, first.targets.maximum(second.targets), first.known & second.known)\n",
        encoding="utf-8",
    )
    first, second = examples(0), examples(1)
    out = mixed(Mix(f"{file}:brighter", {"times": 2}), first, second, np.random.default_rng(0))
    assert torch.equal(out.inputs, torch.maximum(first.inputs, 2 * second.inputs))
