"""The greyscale pipeline against the standard's own formulas, and against pydicom's."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from dicom_making import GREY12, elements, lut
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_presentation_lut, apply_voi_lut

from chestxpert.pixels.dicom_grey import show, window

EVERY12 = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def _encoded(ds: Dataset) -> Dataset:
    ds.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    return ds


def shown(stored: npt.NDArray[Any], grey: Any = "stored", bits: int = 12, **tags: Any) -> npt.NDArray[np.uint8]:
    return show(stored, _encoded(elements(stored, BitsStored=bits, **tags)), grey)


def rounded(shares: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.floor(np.asarray(shares, dtype=np.float64) * 255 + 0.5)


def linear(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.2.1, as it stands there."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    if x > c - 0.5 + (w - 1) / 2:
        return 1.0
    return (x - (c - 0.5)) / (w - 1) + 0.5


def linear_exact(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.3.2."""
    if x <= c - w / 2:
        return 0.0
    if x > c + w / 2:
        return 1.0
    return (x - c) / w + 0.5


def sigmoid(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.3.1."""
    return 1 / (1 + math.exp(min(-4 * (x - c) / w, 700)))


@pytest.mark.parametrize("stretch_of_values", [(0, 4095), (1500, 1510)])
def test_without_a_window_the_range_of_bits_stored_is_shown(stretch_of_values: tuple[int, int]) -> None:
    """Never the range of the image: a picture of few greys stays one."""
    low, high = stretch_of_values
    stored = np.clip(EVERY12, low, high)
    np.testing.assert_array_equal(shown(stored), rounded(stored / 4095))


def test_signed_values_span_their_own_range() -> None:
    stored = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
    np.testing.assert_array_equal(shown(stored), rounded((stored + 2048.0) / 4095))


def test_8_and_16_and_32_bits() -> None:
    eight = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(shown(eight, bits=8), eight)
    sixteen = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(shown(sixteen, bits=16), rounded(sixteen / 65535))
    wide = np.array([[0, 2**19, 2**20 - 1]], dtype=np.uint32)
    assert shown(wide, bits=20).tolist() == [[0, 128, 255]]
    signed = np.array([[-(2**31), 0, 2**31 - 1]], dtype=np.int32)
    assert shown(signed, bits=32).tolist() == [[0, 128, 255]]


def test_rescaling_comes_before_the_window() -> None:
    """Window centre and width are in units of the rescaled values."""
    made = shown(EVERY12, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=3000, WindowWidth=400)
    expected = [linear(2.0 * x - 1000, 3000, 400) for x in EVERY12.flat]
    np.testing.assert_array_equal(made.ravel(), rounded(np.array(expected)))


def test_a_negative_slope_turns_the_greys_round() -> None:
    np.testing.assert_array_equal(shown(EVERY12, RescaleSlope=-1, RescaleIntercept=4095), shown(EVERY12)[::-1, ::-1])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    st.floats(-500, 5000),
    st.floats(1, 5000),
    st.lists(st.floats(-2000, 6000), min_size=1, max_size=20),
)
def test_windows_follow_the_standards_formulas(function: str, centre: float, width: float, values: list[float]) -> None:
    formula = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}[function]
    expected = [formula(x, centre, width) if width > 1 or function != "LINEAR" else None for x in values]
    made = window(np.array(values), centre, width, function)
    for value, share in zip(made, expected, strict=True):
        assert share is None or value == pytest.approx(share, abs=1e-9)


def test_a_window_of_width_1_is_a_step() -> None:
    values = np.array([8.0, 9.5, 9.6, 10.0])
    assert window(values, 10, 1).tolist() == [linear(x, 10, 1.0000001) > 0.5 for x in values]


@pytest.mark.parametrize(("function", "width"), [("LINEAR", 0.5), ("LINEAR", 0), ("LINEAR_EXACT", 0), ("SIGMOID", -3)])
def test_a_window_without_width_is_refused(function: str, width: float) -> None:
    with pytest.raises(ValueError, match="its window is"):
        shown(EVERY12, WindowCenter=10, WindowWidth=width, VOILUTFunction=function)


def test_an_unknown_function_is_refused() -> None:
    with pytest.raises(ValueError, match="'CUBIC'"):
        shown(EVERY12, WindowCenter=10, WindowWidth=5, VOILUTFunction="CUBIC")


def test_the_first_of_several_views_is_shown() -> None:
    several = shown(EVERY12, WindowCenter=[1000, 3000], WindowWidth=[500, 50])
    np.testing.assert_array_equal(several, shown(EVERY12, WindowCenter=1000, WindowWidth=500))
    two = [*lut(0, 8, np.arange(256)), *lut(0, 8, np.arange(256)[::-1])]
    np.testing.assert_array_equal(
        shown(EVERY12, VOILUTSequence=two), shown(EVERY12, VOILUTSequence=lut(0, 8, np.arange(256)))
    )


def test_an_empty_window_is_none() -> None:
    np.testing.assert_array_equal(shown(EVERY12, WindowCenter="", WindowWidth=""), shown(EVERY12))


def test_a_voi_lut_is_looked_up_and_clamped_at_its_ends() -> None:
    entries = np.arange(1000)[::-1] + 20
    made = shown(EVERY12, VOILUTSequence=lut(500, 12, entries), WindowCenter=1, WindowWidth=1)
    expected = entries[np.clip(EVERY12.astype(int) - 500, 0, 999)] / 4095
    np.testing.assert_array_equal(made, rounded(expected))


def test_a_voi_lut_comes_after_the_modality_lut() -> None:
    modality = lut(0, 16, (np.arange(4096) * 3) % 4096, ModalityLUTType="US")
    voi = lut(100, 8, np.arange(200))
    made = shown(EVERY12, ModalityLUTSequence=modality, VOILUTSequence=voi)
    expected = np.clip((EVERY12.astype(int) * 3) % 4096 - 100, 0, 199) / 255
    np.testing.assert_array_equal(made, rounded(expected))


def test_a_modality_lut_alone_is_shown_over_the_range_of_its_entries() -> None:
    entries = np.arange(4096) * 10
    made = shown(EVERY12, ModalityLUTSequence=lut(0, 16, entries), RescaleSlope=5, RescaleIntercept=5)
    np.testing.assert_array_equal(made, rounded(entries[EVERY12] / 65535))


def test_a_lut_may_begin_below_zero_and_have_65536_entries() -> None:
    stored = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
    made = shown(stored, VOILUTSequence=lut(-2048, 12, np.arange(4096)[::-1]))
    np.testing.assert_array_equal(made, rounded((2047 - stored.astype(int)) / 4095))
    wide = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    made = shown(wide, bits=16, VOILUTSequence=lut(0, 16, np.arange(65536)))  # 65536 is written as 0
    np.testing.assert_array_equal(made, rounded(wide / 65535))


def test_a_lut_of_bytes_is_read_as_bytes() -> None:
    packed = lut(0, 8, np.arange(256))
    packed[0]["LUTData"].value = np.arange(256)[::-1].astype(np.uint8).tobytes()
    made = shown(np.arange(256, dtype=np.uint8).reshape(16, 16), bits=8, VOILUTSequence=packed)
    assert made.ravel().tolist() == list(range(255, -1, -1))


@pytest.mark.parametrize(
    ("sequence", "complaint"),
    [
        (lut(0, 8, [1, 2, 900]), "entry of 900, too large for 8 bits"),
        (lut(0, 17, [1, 2, 3]), "entries of 17 bits"),
        (lut(0, 0, [0, 0]), "entries of 0 bits"),
    ],
)
def test_impossible_tables_are_refused(sequence: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        shown(EVERY12, VOILUTSequence=sequence)


def test_a_table_that_is_cut_off_is_refused() -> None:
    short = lut(0, 8, np.arange(256))
    short[0]["LUTData"].value = bytes(100)
    with pytest.raises(ValueError, match="has 100 entries where it says 256"):
        shown(EVERY12, VOILUTSequence=short)


def test_a_slope_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="Rescale Slope is 0"):
        shown(EVERY12, RescaleSlope=0, RescaleIntercept=5)


def test_monochrome1_is_inverted_once_and_last() -> None:
    plain = shown(EVERY12, WindowCenter=1000, WindowWidth=501)
    inverted = {
        "MONOCHROME1": shown(EVERY12, PhotometricInterpretation="MONOCHROME1", WindowCenter=1000, WindowWidth=501),
        "both say so": shown(
            EVERY12,
            PhotometricInterpretation="MONOCHROME1",
            PresentationLUTShape="INVERSE",
            WindowCenter=1000,
            WindowWidth=501,
        ),
    }
    for made in inverted.values():
        assert np.abs(made.astype(int) + plain - 255).max() <= 1  # both round half up
    assert plain[0, 0] == 0
    assert inverted["MONOCHROME1"][0, 0] == 255


def test_where_the_shape_contradicts_the_shape_is_followed() -> None:
    np.testing.assert_array_equal(
        shown(EVERY12, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY"), shown(EVERY12)
    )
    np.testing.assert_array_equal(
        shown(EVERY12, PresentationLUTShape="INVERSE"), shown(EVERY12, PhotometricInterpretation="MONOCHROME1")
    )
    np.testing.assert_array_equal(shown(EVERY12, PresentationLUTShape="LIN OD"), shown(EVERY12))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("limit", [None, 103])
def test_padding_is_black_whichever_way_the_greys_run(photometric: str, limit: int | None) -> None:
    stored = np.full((8, 8), 2000, np.uint16)
    stored[0] = [100, 101, 102, 103, 104, 4000, 2000, 2000]
    tags = {"PixelPaddingRangeLimit": limit} if limit else {}
    made = shown(stored, PhotometricInterpretation=photometric, PixelPaddingValue=100, **tags)
    plain = shown(stored, PhotometricInterpretation=photometric)
    padded = slice(0, 4 if limit else 1)
    assert set(made[0, padded]) == {0}
    assert set(plain[0, padded]) != {0}
    made[0, padded] = plain[0, padded]
    np.testing.assert_array_equal(made, plain)


def test_padding_may_be_written_as_unsigned_where_values_are_signed() -> None:
    stored = np.array([[-2000, 5, 100]], dtype=np.int16)
    for value in (-2000, 63536):
        made = shown(stored, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=value)
        assert made[0, 0] == 0
        assert made[0, 1] > 100


def test_values_outside_bits_stored_are_refused() -> None:
    with pytest.raises(ValueError, match=r"go from 0 to 4095; Bits Stored allows only 0 to 1023"):
        shown(EVERY12, bits=10)


def test_the_stretch_must_be_asked_for_and_leaves_padding_aside() -> None:
    stored = np.array([[0, 1000, 1001, 1004]], dtype=np.uint16)
    assert shown(stored, "minmax", PixelPaddingValue=0).tolist() == [[0, 0, 64, 255]]
    assert shown(stored[:, 1:], "minmax").tolist() == [[0, 64, 255]]
    assert shown(stored[:, 1:], "minmax", PhotometricInterpretation="MONOCHROME1").tolist() == [[255, 191, 0]]
    assert shown(stored, "minmax", PixelPaddingValue=0, PixelPaddingRangeLimit=4095).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": 1.5, "RescaleIntercept": -20, "WindowCenter": 2000, "WindowWidth": 1500},
        {"WindowCenter": 2000, "WindowWidth": 1500, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 2000, "WindowWidth": 1500, "VOILUTFunction": "LINEAR_EXACT"},
        {"VOILUTSequence": lut(100, 12, np.arange(3000)[::-1])},
        {"ModalityLUTSequence": lut(0, 16, np.arange(4096) * 2), "WindowCenter": 3000, "WindowWidth": 500},
        {"PresentationLUTShape": "INVERSE", "WindowCenter": 2000, "WindowWidth": 1500},
    ],
)
def test_pydicom_shows_the_same(tags: dict[str, Any]) -> None:
    ds = _encoded(elements(GREY12, BitsStored=12, **tags))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = apply_voi_lut(apply_modality_lut(GREY12, ds), ds).astype(np.float64)
        if "PresentationLUTShape" in tags:
            values = apply_presentation_lut(values, ds)
    low, high = _span_of_pydicom(tags)
    expected = (values - low) / (high - low) * 255
    assert np.abs(show(GREY12, ds) - expected).max() <= 0.51


def _span_of_pydicom(tags: dict[str, Any]) -> tuple[float, float]:
    """Pydicom's windows span the range of the modality's values, its LUTs that of their entries."""
    if "RescaleSlope" in tags:
        return -20.0, 4095 * 1.5 - 20
    return 0.0, 65535.0 if "ModalityLUTSequence" in tags else 4095.0
