"""Several processes together draw what one would."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from chestxpert.errors import UsageError
from chestxpert.imbalance import Examples, RankedBatchSampler
from chestxpert.imbalance.batches import batches_of
from chestxpert.recipe import DRAWS, MIXES, Draw, Mix

EPOCHS = 3


def labels(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, 4)) < [0.5, 0.2, 0.1, 0.03]


def batches(rank: int, world_size: int, draw: str, mix: str, rows: int = 101, size: int = 16) -> list[list[list[int]]]:
    """Every batch of every epoch in one process."""
    sampler = RankedBatchSampler(
        labels(rows), size, draw=draw, mix=mix, epochs=EPOCHS, seed=4, rank=rank, world_size=world_size
    )
    drawn = []
    for epoch in range(1, EPOCHS + 1):
        sampler.set_epoch(epoch)
        assert len(sampler) == len(list(sampler))
        drawn.append(list(sampler))
    return drawn


def together(shares: tuple[list[int], ...], mix: str) -> list[int]:
    """Rows of all processes, then partners of all processes."""
    if mix == "none":
        return [row for share in shares for row in share]
    halves = [(share[: len(share) // 2], share[len(share) // 2 :]) for share in shares]
    return [row for part in (0, 1) for half in halves for row in half[part]]


@pytest.mark.parametrize("mix", ["none", "mixup", "balanced-mixup"])
@pytest.mark.parametrize("draw", DRAWS)
def test_the_shares_of_each_step_are_the_batch_of_one_process(draw: str, mix: str) -> None:
    alone = batches(0, 1, draw, mix)
    for world_size in (2, 3, 5):
        ranks = [batches(rank, world_size, draw, mix) for rank in range(world_size)]
        for epoch in range(EPOCHS):
            steps = list(zip(*(rank[epoch] for rank in ranks), strict=True))
            assert [together(shares, mix) for shares in steps] == alone[epoch]
    assert alone[0] != alone[1]


@settings(max_examples=60)
@given(st.integers(2, 150), st.integers(2, 40), st.integers(1, 9), st.integers(0, 99))
def test_no_row_is_lost_or_doubled_however_uneven_the_end(rows: int, size: int, world_size: int, seed: int) -> None:
    def sampler(rank: int) -> RankedBatchSampler:
        return RankedBatchSampler(labels(rows), size, seed=seed, rank=rank, world_size=world_size)

    if min(map(len, batches_of(np.arange(rows), size))) < world_size:
        with pytest.raises(UsageError, match=f"cannot be shared by {world_size} processes"):
            sampler(0)
        return
    ranks = [list(sampler(rank)) for rank in range(world_size)]
    assert len({len(steps) for steps in ranks}) == 1
    for shares in zip(*ranks, strict=True):
        assert min(map(len, shares)) >= 1
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        assert sum(map(len, shares)) <= max(size, 3)
    assert sorted(row for steps in ranks for share in steps for row in share) == list(range(rows))


def test_two_processes_give_together_what_one_gives() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        futures = [pool.submit(batches, rank, 2, "repeat-factor", "balanced-mixup") for rank in range(2)]
        ranks = [future.result(timeout=120) for future in futures]
    alone = batches(0, 1, "repeat-factor", "balanced-mixup")
    for epoch in range(EPOCHS):
        steps = zip(*(rank[epoch] for rank in ranks), strict=True)
        assert [together(shares, "balanced-mixup") for shares in steps] == alone[epoch]


@pytest.mark.parametrize("mix", MIXES)
def test_a_loop_over_a_data_loader_mixes_as_one_process_does(mix: str) -> None:
    truth = labels(60)
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(images, torch.from_numpy(truth).float(), torch.ones(60, 4, dtype=torch.bool))

    def learned_from(rank: int, world_size: int) -> list[Examples]:
        sampler = RankedBatchSampler(truth, 12, mix=mix, rank=rank, world_size=world_size)
        loader = DataLoader(data, batch_sampler=sampler)
        return [sampler.mix(Examples(*batch), step) for step, batch in enumerate(loader)]

    ranks, alone = [learned_from(rank, 2) for rank in range(2)], learned_from(0, 1)
    assert len(alone) == 5
    for one, *shares in zip(alone, *ranks, strict=True):
        assert len(one) == 12
        assert torch.equal(torch.cat([share.inputs for share in shares]), one.inputs)
        assert torch.equal(torch.cat([share.targets for share in shares]), one.targets)
    assert (mix == "none") == torch.equal(alone[0].inputs, images[next(iter(RankedBatchSampler(truth, 12)))])


def test_partners_of_a_batch_itself_are_its_rows_in_another_order() -> None:
    for batch in RankedBatchSampler(labels(90), 30, mix="mixup"):
        rows, partners = batch[:30], batch[30:]
        assert sorted(rows) == sorted(partners)
        assert rows != partners


def test_balanced_partners_bring_rare_rows() -> None:
    truth = labels(400)
    rare = 0
    for batch in RankedBatchSampler(truth, 40, mix="balanced-mixup"):
        rare += int(truth[batch[40:], 3].sum())
    assert rare > 3 * truth[:, 3].sum()


def test_settings_come_as_in_a_recipe() -> None:
    few, many = (
        sum(map(len, RankedBatchSampler(labels(300), 50, draw=Draw("ml-ros", {"percent": percent}))))
        for percent in (0, 5)
    )
    assert (few, many) == (300, 315)
    assert RankedBatchSampler(labels(300), 50, mix=Mix("mixup", {"alpha": 1}))


def test_epochs_are_counted_from_one() -> None:
    sampler = RankedBatchSampler(labels(20), 5, epochs=2)
    for number in (0, 3):
        with pytest.raises(UsageError, match=f"from 1 to 2 here, but got {number}"):
            sampler.set_epoch(number)


def test_wrong_worlds_are_refused() -> None:
    with pytest.raises(UsageError, match="a rank is 0 to 1, but got 2"):
        RankedBatchSampler(labels(20), 5, rank=2, world_size=2)
    with pytest.raises(UsageError, match="A step of 5 rows cannot be shared by 6 processes"):
        RankedBatchSampler(labels(20), 5, rank=0, world_size=6)
