"""What holds of every loss of the catalogue, and how a recipe's loss becomes a function."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxpert.errors import RecipeError
from chestxpert.imbalance.losses import FACTORIES, LabelStats, build_loss, masked_bce
from chestxpert.recipe import LOSSES, Loss, parse_recipe

ROWS, OUTPUTS = 40, 6


def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, targets, known mask and positive weights."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(ROWS, OUTPUTS, generator=generator) * 3
    targets = (torch.rand(ROWS, OUTPUTS, generator=generator) < torch.linspace(0.05, 0.5, OUTPUTS)).float()
    known = torch.rand(ROWS, OUTPUTS, generator=generator) < 0.8
    return logits, targets, known, torch.rand(OUTPUTS, generator=generator) * 5 + 0.5


def stats(seed: int = 0) -> LabelStats:
    _, targets, known, _ = batch(seed)
    return LabelStats.of(targets.numpy() > 0, known.numpy())


def test_the_catalogue_lists_each_loss_with_its_settings_and_defaults() -> None:
    assert FACTORIES.keys() == LOSSES.keys()
    for name, factory in FACTORIES.items():
        keywords = {
            parameter.name: parameter.default
            for parameter in inspect.signature(factory).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        assert keywords == LOSSES[name].settings, name
        assert len(LOSSES[name].summary) > 10
        assert name == "bce" or any(year in LOSSES[name].source for year in ("19", "20"))


@pytest.mark.parametrize("name", LOSSES)
def test_following_its_gradient_lowers_it(name: str) -> None:
    logits, targets, mask, weight = batch(1)
    loss = build_loss(Loss(name), stats(1)).eval()  # what a loss remembers stands still in evaluation
    logits.requires_grad_()
    before = loss(logits, targets, mask, weight)
    before.backward()
    assert logits.grad is not None
    step = logits.grad / logits.grad.norm()
    assert float(loss(logits.detach() - 0.01 * step, targets, mask, weight)) < before.item()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("name", LOSSES)
def test_logits_of_eighty_give_finite_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    _, targets, mask, weight = batch(2)
    logits = torch.full((ROWS, OUTPUTS), 80.0)
    logits[::2] = -80.0
    logits = logits.to(dtype).requires_grad_()
    value = build_loss(Loss(name), stats(2))(logits, targets, mask, weight)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_unknown_has_neither_loss_nor_gradient(name: str) -> None:
    logits, targets, mask, weight = batch(3)
    loss = build_loss(Loss(name), stats(3)).eval()
    a, b = logits.clone().requires_grad_(), torch.where(mask, logits, -50 * logits).requires_grad_()
    value, other = loss(a, targets, mask, weight), loss(b, torch.where(mask, targets, 1 - targets), mask, weight)
    assert value.item() == pytest.approx(other.item(), rel=1e-6)
    value.backward()
    assert a.grad is not None
    assert (a.grad[~mask] == 0).all()
    assert (a.grad[mask] != 0).any()


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_known_is_no_loss(name: str) -> None:
    logits = torch.full((4, OUTPUTS), 80.0, requires_grad=True)
    nothing = torch.zeros(4, OUTPUTS, dtype=torch.bool)
    value = build_loss(Loss(name), stats())(logits, torch.zeros(4, OUTPUTS), nothing)
    value.backward()
    assert value.item() == 0.0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_it_stays_in_float32_under_autocast(name: str) -> None:
    logits, targets, mask, weight = batch(4)
    loss = build_loss(Loss(name), stats(4)).eval()
    plain = loss(logits, targets, mask, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = loss(logits, targets, mask, weight)
    assert cast.dtype == torch.float32
    assert float(cast) == float(plain)


def test_stats_count_what_is_known() -> None:
    targets, known = np.array([[1, 1], [0, 1], [1, 0]], bool), np.array([[1, 0], [1, 1], [0, 1]], bool)
    counted = LabelStats.of(targets, known)
    assert counted.positives.tolist() == [1, 1]
    assert counted.negatives.tolist() == [1, 1]
    assert counted.prevalence.tolist() == [0.5, 0.5]


def test_a_function_of_ones_own_is_one_function_and_one_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def squared(logits, targets, mask=None, pos_weight=None, power=2):\n"
        "    return ((logits.sigmoid() - targets).abs() ** power)[mask].mean()\n",
        encoding="utf-8",
    )
    recipe = parse_recipe(f"{{name: x, architecture: flat, loss: {{kind: '{file}:squared', power: 3}}}}")
    assert parse_recipe(recipe.to_yaml()) == recipe
    logits, targets, mask, weight = batch(5)
    expected = ((logits.sigmoid() - targets).abs() ** 3)[mask].mean()
    assert float(build_loss(recipe.loss, stats(5))(logits, targets, mask, weight)) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("content", "function", "words"),
    [
        (None, "f", "there is no file"),
        ("f = 3", "f", "has no function 'f'"),
        ("def g(): pass", "f", "has no function 'f'"),
        ("1 / 0", "f", "ZeroDivisionError"),
        ("def f(:", "f", "SyntaxError"),
    ],
)
def test_a_function_that_cannot_be_had_is_named(tmp_path: Path, content: str | None, function: str, words: str) -> None:
    file = tmp_path / "mine.py"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(RecipeError, match=words):
        build_loss(Loss(f"{file}:{function}"), stats())


def test_binary_cross_entropy_is_the_function_itself() -> None:
    logits, targets, mask, weight = batch(6)
    assert float(build_loss(Loss(), stats(6))(logits, targets, mask, weight)) == float(
        masked_bce(logits, targets, mask, weight)
    )
