"""One simulated image from one description of it: anatomy, then signs, then exposure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.labels import NIH15
from chestxpert.simulator.anatomy import paint_chest
from chestxpert.simulator.canvas import Box, Canvas
from chestxpert.simulator.exposure import expose
from chestxpert.simulator.geometry import draw_geometry
from chestxpert.simulator.signs import SIGNS


@dataclass(frozen=True)
class Scene:
    """What is on one image.

    Attributes
    ----------
    patient, follow_up : int
        The patient's number and the image's number within the patient, from 0.
    view, sex : str
        "PA" or "AP"; "M" or "F".
    age : int
        In years.
    findings : tuple of str
        Findings whose signs are drawn, named as in the label space nih15; empty for No Finding.
    """

    patient: int
    follow_up: int
    view: str
    sex: str
    age: int
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """A drawn image: `pixels` (size, size) uint8, and for each drawn finding its boxes in fractions of the side."""

    pixels: npt.NDArray[np.uint8]
    boxes: tuple[tuple[str, Box], ...]


# Roles of the random streams of one image; each has its own, so that a finding moves no other draw.
_PERSON, _POSE, _DETAIL, _EXPOSURE, _STRENGTH, _SIGN = range(6)


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=key)))


def sign_strength(difficulty: float) -> float:
    """Typical strength of a sign: 1.1 at difficulty 0, falling in a straight line to 0.3 at 1."""
    return 1.1 - 0.8 * difficulty


def noise_level(difficulty: float) -> float:
    """Standard deviation of the noise as a fraction of the grey scale: 0.012 at difficulty 0, 0.04 at 1."""
    return 0.012 + 0.028 * difficulty


def render(scene: Scene, size: int, difficulty: float, seed: int) -> Drawing:
    """Draw one image.

    Parameters
    ----------
    scene : Scene
        What is on it.
    size : int
        Side in pixels.
    difficulty : float
        0 (plain signs, little noise, chests alike) to 1 (faint signs, much noise, chests unlike).
    seed : int
        Of the whole cohort. Pixels depend on it, on `scene`, `size` and `difficulty`, and on nothing else.

    Returns
    -------
    Drawing
        Pixels and boxes. Boxes are cut at the image's border.
    """
    person = _stream(seed, _PERSON, scene.patient)
    pose = _stream(seed, _POSE, scene.patient, scene.follow_up)
    geometry = draw_geometry(scene.view, scene.sex, scene.age, 0.5 + difficulty, person, pose)
    strengths = _strengths(scene, difficulty, seed)
    for name, strength in strengths.items():
        shape = SIGNS[name].shape
        if shape is not None:
            geometry = shape(geometry, strength, _sign_stream(seed, scene, name))
    canvas = Canvas(size, geometry)
    paint_chest(canvas, _stream(seed, _DETAIL, scene.patient, scene.follow_up), difficulty)
    boxes: list[tuple[str, Box]] = []
    for name, strength in strengths.items():
        found = SIGNS[name].paint(canvas, strength, _sign_stream(seed, scene, name))
        boxes += [(name, _cut(box)) for box in found]
    pixels = expose(canvas, noise_level(difficulty), _stream(seed, _EXPOSURE, scene.patient, scene.follow_up))
    return Drawing(pixels, tuple(boxes))


def _sign_stream(seed: int, scene: Scene, name: str) -> np.random.Generator:
    """Same for all images of a patient: what persists from one image to the next stays in its place."""
    return _stream(seed, _SIGN, scene.patient, NIH15.index(name))


def _strengths(scene: Scene, difficulty: float, seed: int) -> dict[str, float]:
    """Strength of each finding's sign on this image, in label order: typical strength times a factor near 1."""
    draws = _stream(seed, _STRENGTH, scene.patient, scene.follow_up).standard_normal(len(NIH15))
    typical, found = sign_strength(difficulty), _known(scene.findings)
    return {name: typical * float(np.exp(0.22 * draws[NIH15.index(name)])) for name in NIH15.findings if name in found}


def _known(findings: Collection[str]) -> set[str]:
    return {NIH15.canonical(name) for name in findings}


def _cut(box: Box) -> Box:
    x, y, w, h = box
    left, top = max(x, 0.0), max(y, 0.0)
    return left, top, min(x + w, 1.0) - left, min(y + h, 1.0) - top
