"""The hash against SciPy's DCT, and the search for close pairs against all pairs compared one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn

from chestxpert.quality import phash as module
from chestxpert.quality.phash import BITS, close_pairs, phash


def test_the_hash_is_the_sign_of_the_low_coefficients_about_their_median() -> None:
    areas = np.random.default_rng(0).normal(100, 30, (5, 32, 32)).astype(np.float32)
    low = dctn(areas.astype(np.float64), axes=(1, 2), norm="ortho")[:, :16, :16].reshape(5, -1)[:, 1:]
    expected = low > np.median(low, axis=1, keepdims=True)
    found = np.unpackbits(phash(areas), axis=1, count=BITS).astype(bool)
    np.testing.assert_array_equal(found, expected)
    assert phash(areas).shape == (5, 32)


@given(gain=st.floats(0.1, 5), offset=st.floats(-50, 50))
def test_brightness_and_contrast_do_not_change_the_hash(gain: float, offset: float) -> None:
    areas = np.random.default_rng(1).normal(100, 30, (1, 32, 32))
    one, other = (np.unpackbits(phash(image.astype(np.float32))) for image in (areas, areas * gain + offset))
    assert (one != other).sum() <= 2  # rounding at the median


def slow_pairs(hashes: np.ndarray, radius: int) -> dict[tuple[int, int], int]:
    bits = np.unpackbits(hashes, axis=1, count=BITS)
    distances = {
        (i, j): int((bits[i] != bits[j]).sum()) for i in range(len(bits)) for j in range(i + 1, len(bits))
    }  # fmt: skip
    return {pair: distance for pair, distance in distances.items() if distance <= radius}


@pytest.mark.parametrize("block", [2048, 7])
@pytest.mark.parametrize("radius", [0, 40, 118])
def test_every_close_pair_is_found_closest_first(block: int, radius: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    rng = np.random.default_rng(3)
    hashes = rng.integers(0, 256, (40, 32), dtype=np.uint8)
    hashes[20:25] = hashes[3:8]
    hashes[20:25, 0] ^= 7
    hashes[30] = hashes[31]
    expected = slow_pairs(hashes, radius)
    pairs, distances = close_pairs(hashes, radius, limit=10_000)
    assert dict(zip(map(tuple, pairs.tolist()), distances.tolist(), strict=True)) == expected
    assert len(expected) >= 1
    assert (np.diff(distances) >= 0).all()


@pytest.mark.parametrize("block", [2048, 7])
def test_of_too_many_pairs_the_closest_are_kept(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    hashes = np.random.default_rng(4).integers(0, 256, (60, 32), dtype=np.uint8)
    expected = sorted(slow_pairs(hashes, 255).values())[:25]
    pairs, distances = close_pairs(hashes, 255, limit=25)
    assert distances.tolist() == expected
    assert len({tuple(pair) for pair in pairs.tolist()}) == 25


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_have_no_pairs(count: int) -> None:
    pairs, distances = close_pairs(np.zeros((count, 32), dtype=np.uint8), 255, 10)
    assert (pairs.shape, distances.shape) == ((0, 2), (0,))
