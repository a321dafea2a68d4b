import platform

import pytest
import torch

from chestxpert.errors import RecipeError
from chestxpert.training.engine import Engine, has_depthwise, keep_freed_memory, prefers_bfloat16, stream_seed


def test_seeded_leaves_the_outer_random_state_alone() -> None:
    engine = Engine.create("float32", "cpu")
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with engine.seeded(99):
        inner = torch.rand(4)
    assert torch.equal(torch.rand(4), expected)
    assert not torch.equal(inner, expected)


def test_seeded_repeats_itself() -> None:
    engine = Engine.create("float32", "cpu")
    draws = []
    for _ in range(2):
        with engine.seeded(5):
            draws.append(torch.rand(8))
    assert torch.equal(*draws)


def test_streams_differ_by_every_part_of_their_name() -> None:
    seeds = {
        stream_seed(0, "A", "epoch", 1),
        stream_seed(1, "A", "epoch", 1),
        stream_seed(0, "B", "epoch", 1),
        stream_seed(0, "A", "epoch", 2),
        stream_seed(0, "A", "epoch", 12),
        stream_seed(0, "Aepoch", 12),
    }
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_autocast_computes_in_the_asked_format() -> None:
    x = torch.ones(2, 2)
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        engine = Engine.create(precision, "cpu")
        with engine.autocast():
            assert (x @ x).dtype == dtype


def test_auto_takes_bfloat16_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, dtype in (("avx2", torch.float32), ("avx2 amx_bf16", torch.bfloat16)):
        monkeypatch.setattr("chestxpert.training.engine._cpu_field", lambda name, flags=flags: flags)
        assert Engine.create("auto", "cpu").dtype == dtype


def test_place_orders_kernels_channels_last() -> None:
    layer = Engine.create("float32", "cpu").place(torch.nn.Conv2d(8, 8, 3))
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_an_unknown_device_is_explained() -> None:
    with pytest.raises(RecipeError, match="no device 'toaster'"):
        Engine.create("auto", "toaster")


@pytest.mark.parametrize(
    ("flags", "depthwise", "expected"),
    [
        ("avx2", False, False),
        ("avx2 avx512_bf16", False, True),
        ("avx2 avx512_bf16", True, False),
        ("avx2 avx512_bf16 amx_bf16", True, True),
    ],
)
def test_bfloat16_is_chosen_by_processor_and_network(
    flags: str, depthwise: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chestxpert.training.engine._cpu_field", lambda name: flags)
    network = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3, groups=4 if depthwise else 1))
    assert has_depthwise(network) == depthwise
    assert prefers_bfloat16(torch.device("cpu"), network) == expected


def test_one_thread_is_over_when_its_context_is() -> None:
    before = torch.get_num_threads()
    with Engine.create("float32", "cpu").one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_keeping_freed_memory_is_accepted_by_the_c_library() -> None:
    """Where there is glibc; elsewhere it says that nothing was done."""
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
