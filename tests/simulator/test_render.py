"""Images: reproducible, marked, and changed by a finding through its sign alone."""

from dataclasses import replace

import numpy as np
import pytest

from chestxpert.labels import NIH15
from chestxpert.simulator import render as render_module
from chestxpert.simulator.exposure import marker
from chestxpert.simulator.render import Scene, noise_level, render, sign_strength
from chestxpert.simulator.signs import SIGNS, Sign

NOBODY = Scene(patient=7, follow_up=2, view="PA", sex="F", age=50)


def pixels(scene: Scene, size: int = 64, difficulty: float = 0.1, seed: int = 3) -> np.ndarray:
    return render(scene, size, difficulty, seed).pixels.astype(int)


def test_every_finding_has_a_sign_and_no_sign_is_of_nothing() -> None:
    assert set(SIGNS) == set(NIH15.findings)


def test_the_same_scene_is_the_same_image_and_every_number_counts() -> None:
    first = pixels(NOBODY)
    np.testing.assert_array_equal(first, pixels(NOBODY))
    for other in (replace(NOBODY, patient=8), replace(NOBODY, follow_up=3), replace(NOBODY, view="AP")):
        assert np.abs(first - pixels(other)).mean() > 1
    assert np.abs(first - pixels(NOBODY, seed=4)).mean() > 1
    assert np.abs(first - pixels(NOBODY, difficulty=0.9)).mean() > 1


@pytest.mark.parametrize("finding", NIH15.findings)
def test_a_sign_is_visible_when_easy_and_fainter_when_hard(finding: str) -> None:
    change = []
    for difficulty in (0.0, 1.0):
        pairs = [
            (pixels(replace(NOBODY, patient=k, findings=(finding,)), 96, difficulty),
             pixels(replace(NOBODY, patient=k), 96, difficulty))
            for k in range(8)
        ]  # fmt: skip
        change.append(np.mean([np.abs(a - b).sum() for a, b in pairs]) / 96**2)
    assert change[0] > 0.1
    assert change[0] > 1.5 * change[1]


@pytest.mark.parametrize("finding", NIH15.findings)
def test_without_its_sign_a_finding_leaves_no_trace(finding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Sign(paint=lambda canvas, strength, rng: [])
    monkeypatch.setattr(render_module, "SIGNS", dict.fromkeys(SIGNS, nothing))
    np.testing.assert_array_equal(pixels(replace(NOBODY, findings=(finding,))), pixels(NOBODY))


@pytest.mark.parametrize("finding", [name for name, sign in SIGNS.items() if sign.shape is None])
def test_a_painted_sign_changes_pixels_near_its_boxes_only(finding: str) -> None:
    size = 96
    for patient in range(6):
        healthy = replace(NOBODY, patient=patient)
        drawing = render(replace(healthy, findings=(finding,)), size, 0.1, 3)
        changed = np.abs(drawing.pixels.astype(int) - pixels(healthy, size)) > 3
        for _, (x, y, w, h) in drawing.boxes:
            margin = 0.42 if finding == "Pneumothorax" else 0.13  # the lung it presses on brightens as a whole
            left, top = max(int((x - margin) * size), 0), max(int((y - margin) * size), 0)
            changed[top : int((y + h + margin) * size) + 1, left : int((x + w + margin) * size) + 1] = False
        assert not changed.any()


@pytest.mark.parametrize("finding", NIH15.findings)
@pytest.mark.parametrize("size", [32, 80])
def test_boxes_lie_in_the_image_and_every_finding_has_one(finding: str, size: int) -> None:
    for patient in range(12):
        scene = Scene(patient, 0, "AP" if patient % 2 else "PA", "M", 60, (finding,))
        drawing = render(scene, size, patient / 11, 5)
        assert drawing.boxes
        for name, (x, y, w, h) in drawing.boxes:
            assert name == finding
            assert w > 0
            assert h > 0
            assert x >= 0
            assert y >= 0
            assert x + w <= 1 + 1e-6
            assert y + h <= 1 + 1e-6


def test_a_sign_stays_in_its_place_on_a_patients_later_images() -> None:
    boxes = [render(replace(NOBODY, follow_up=k, findings=("Mass",)), 64, 0.1, 3).boxes[0][1] for k in range(6)]
    centres = np.array([(x + w / 2, y + h / 2) for x, y, w, h in boxes])
    assert np.ptp(centres, axis=0).max() < 0.15
    others = [replace(NOBODY, patient=k, findings=("Mass",)) for k in range(6)]
    elsewhere = np.array([render(other, 64, 0.1, 3).boxes[0][1][:2] for other in others])
    assert np.ptp(elsewhere, axis=0).max() > 0.2


@pytest.mark.parametrize("size", [32, 112, 224])
@pytest.mark.parametrize("findings", [(), ("Effusion", "Pneumothorax")])
def test_every_image_carries_the_same_marker(size: int, findings: tuple[str, ...]) -> None:
    drawing = render(replace(NOBODY, findings=findings), size, 0.5, 3)
    letters = marker(size)
    assert drawing.pixels.shape == (size, size)
    assert drawing.pixels.dtype == np.uint8
    np.testing.assert_array_equal(drawing.pixels[-letters.shape[0] :, : letters.shape[1]], letters)
    assert letters.max() == 255
    assert letters.size < 0.12 * size * size


def test_aliases_and_order_of_findings_do_not_matter() -> None:
    one = pixels(replace(NOBODY, findings=("Infiltration", "Pleural_Thickening")))
    np.testing.assert_array_equal(one, pixels(replace(NOBODY, findings=("pleural thickening", "Infiltrate"))))


def test_images_look_exposed_neither_black_nor_white() -> None:
    for patient in range(30):
        got = pixels(replace(NOBODY, patient=patient, view="AP" if patient % 2 else "PA"), difficulty=1.0)
        assert 70 < got.mean() < 200
        assert got.std() > 25


def test_difficulty_weakens_signs_and_strengthens_noise() -> None:
    assert sign_strength(0.0) > sign_strength(0.5) > sign_strength(1.0) > 0.2
    assert noise_level(0.0) < noise_level(0.5) < noise_level(1.0)
