"""A copy agrees with its original, a look-alike does not."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from chestxpert.quality.areas import area_averages
from chestxpert.quality.duplicates import MOST, WHOLE
from chestxpert.quality.same_picture import SIDE, agreement, details
from quality.changes import FOUND
from quality.making import Images


def detail(image: np.ndarray) -> np.ndarray:
    return details(image[None])[0]


def detail_of(image: np.ndarray) -> np.ndarray:
    return detail(area_averages(image[None], SIDE)[0])


@pytest.mark.parametrize("change", FOUND)
def test_a_changed_copy_agrees_with_its_original(change: str, drawn: Images) -> None:
    for image in drawn[:20]:
        whole, most = agreement(detail_of(image), detail_of(FOUND[change](image)))
        assert whole > WHOLE or most > MOST


def test_other_patients_do_not_agree(drawn: Images) -> None:
    parts = [detail_of(image) for image in drawn]
    values = np.array([agreement(parts[i], parts[j]) for i in range(60) for j in range(i)])
    assert (values.max(axis=0) < (WHOLE, MOST)).all()
    assert (values >= 0).all()
    assert (values[:, 1] >= values[:, 0]).all()


def test_brightness_and_contrast_do_not_count() -> None:
    image = np.random.default_rng(0).normal(100, 20, (SIDE, SIDE)).astype(np.float32)
    other = np.random.default_rng(1).normal(100, 20, (SIDE, SIDE)).astype(np.float32)
    assert agreement(detail(image), detail(3 * image - 50)) == pytest.approx((1, 1), abs=1e-4)
    plain = agreement(detail(image), detail(other))
    assert agreement(detail(image), detail(3 * other - 50)) == pytest.approx(plain, abs=1e-3)
    assert max(plain) < 0.2


def test_it_is_the_coefficient_of_determination_of_a_regression() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(100, 20, (SIDE, SIDE)).astype(np.float32)
    one, other = detail(image), detail((image + rng.normal(0, 20, image.shape)).astype(np.float32))
    known = np.vstack([one[:1], (one[1:] + other[1:]) / 2]).T.astype(np.float64)
    oracle = LinearRegression(fit_intercept=False).fit(known, other[0])
    rest = other[0] - oracle.predict(known)
    assert agreement(one, other)[0] == pytest.approx(1 - (rest**2).sum() / (other[0] ** 2).sum(), abs=1e-4)


def test_a_marker_spoils_a_part_alone(drawn: Images) -> None:
    marked = drawn[0].copy()
    marked[5:9, 5:14] = 255
    whole, most = agreement(detail_of(drawn[0]), detail_of(marked))
    assert whole < WHOLE
    assert most > 0.99


def test_a_shift_below_a_pixel_is_explained() -> None:
    """A smooth picture, sampled half a pixel aside: plain correlation of its detail would fall, this does not."""
    y, x = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")

    def picture(shift: float) -> np.ndarray:
        return (100 + 30 * np.sin((x + shift) / 2.3 + y / 5) + 20 * np.cos(y / 3.1 - x / 7)).astype(np.float32)

    one, other = detail(picture(0)), detail(picture(0.5))
    assert np.corrcoef(one[0], other[0])[0, 1] ** 2 < 0.97
    assert agreement(one, other)[0] > 0.995
