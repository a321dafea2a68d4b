"""Damaged files of every kind are decoded or refused, and nothing else. By thousands: benchmarks/fuzz.py."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from chestxpert.errors import DataError
from chestxpert.pixels.decode import read_image
from chestxpert.pixels.dicom_header import dicom_header

_INPUTS = 600


@pytest.fixture(scope="module")
def damage() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "fuzz_damage.py"
    spec = importlib.util.spec_from_file_location("fuzz_damage", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_the_files_are_whole_before_they_are_damaged(damage: ModuleType) -> None:
    files = damage.seeds()
    kinds = {name: read_image(data) for name, data in files.items()}
    assert {decoded.format for decoded in kinds.values()} == {"png", "jpeg", "dicom"}
    assert len(kinds) >= 20
    for name, decoded in kinds.items():
        if name not in ("png 1 bit", "png palette") and "cmyk" not in name:
            assert np.abs(decoded.pixels.astype(int) - _expected(name, damage)).mean() < 4, name


def _expected(name: str, damage: ModuleType) -> np.ndarray:
    """What a whole file shows: grey, luma of the colours, or 12 bits through the window; all from one picture."""
    if name.startswith("dicom") and "colour" not in name and "JPEGBaseline" not in name:
        return np.clip((damage.GREY12 - 1999.5) / 2999 + 0.5, 0, 1) * 255
    if "JPEGBaseline" in name:
        return np.clip((damage.GREY - 1999.5) / 2999 + 0.5, 0, 1) * 255
    if "colour" in name or "progressive" in name:
        return damage.COLOUR @ np.array([0.299, 0.587, 0.114])
    return damage.GREY12 / 257 if "16" in name else damage.GREY


def test_damaged_files_are_decoded_or_refused(damage: ModuleType) -> None:
    files = damage.seeds()
    decoded, refusals = 0, []
    for number in range(_INPUTS):
        name, data = damage.damaged(number, files, seed=11)
        if name.startswith("dicom"):
            with contextlib.suppress(DataError):
                dicom_header(data)
        try:
            image = read_image(data)
        except DataError as error:
            refusals.append(str(error))
        else:
            decoded += 1
            assert image.pixels.dtype == np.uint8
            assert image.pixels.ndim == 2
    assert decoded > _INPUTS / 20  # the damage is not so coarse that only the first check is ever met
    assert len(refusals) > _INPUTS / 2
    assert all(said.isprintable() and len(said) > len("the image cannot be decoded: ") for said in refusals)


def test_damage_is_the_same_for_the_same_seed(damage: ModuleType) -> None:
    files = damage.seeds()
    for number in range(0, 60, 7):
        assert damage.damaged(number, files, 3) == damage.damaged(number, damage.seeds(), 3)
    assert any(damage.damaged(number, files, 3) != damage.damaged(number, files, 4) for number in range(5))
