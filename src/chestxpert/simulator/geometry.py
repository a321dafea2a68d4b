"""Where the parts of a simulated chest lie: the numbers behind one drawing, before any pixel is drawn.

All lengths and places are fractions of the image's side: x grows to the right of the image (which is the
patient's left, as on a radiograph), y downwards. Everything here is benign variation: age, sex, view, build,
pose, breath. Findings change a geometry only through the signs (`chestxpert.simulator.signs`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

LUNG_FLOOR = 0.86
"""Height at which the chest wall stops widening."""


@dataclass(frozen=True)
class Geometry:
    """One chest in one pose.

    Lengths in fractions of the image side, densities in fractions of the full grey scale.

    Attributes
    ----------
    view : str
        "PA" or "AP".
    midline, tilt, bend : float
        Place, lean and curvature of the spine.
    apex, dome_right, dome_left, dome_depth : float
        Top of the lungs, tops of the two diaphragm domes, and how far below them the costophrenic angles are.
    half_width, mediastinum : float
        Distance of the chest wall and of the mediastinal border from the midline.
    heart_x, heart_y, heart_a, heart_b, heart_skew : float
        Centre (x from the midline), semi-axes and lean of the heart.
    knob : float
        Radius of the aortic knob.
    neck, torso, shoulder : float
        Half widths of neck and trunk, height of the shoulders.
    rib_gap, rib_phase, rib_slope, rib_density : float
        Distance between ribs, place of the first, how steeply they fall, how bright they are.
    clavicle_y, clavicle_slope, scapula : float
        Height and rise of the clavicles; brightness of the shoulder blades over the lungs.
    air : float
        Density that the lungs take away.
    breast, bubble, vessels : float
        Breast shadow, gas in the stomach, and vessel markings, each 0 (none) to about 1.
    """

    view: str
    midline: float = 0.5
    tilt: float = 0.0
    bend: float = 0.0
    apex: float = 0.12
    dome_right: float = 0.70
    dome_left: float = 0.725
    dome_depth: float = 0.11
    half_width: float = 0.325
    mediastinum: float = 0.06
    heart_x: float = 0.056
    heart_y: float = 0.605
    heart_a: float = 0.134
    heart_b: float = 0.19
    heart_skew: float = 0.24
    knob: float = 0.028
    neck: float = 0.13
    torso: float = 0.47
    shoulder: float = 0.075
    rib_gap: float = 0.069
    rib_phase: float = 0.0
    rib_slope: float = 1.0
    rib_density: float = 0.1
    clavicle_y: float = 0.205
    clavicle_slope: float = 0.13
    scapula: float = 0.05
    air: float = 0.44
    breast: float = 0.0
    bubble: float = 0.6
    vessels: float = 1.0

    def centre(self, y: FloatArray | float) -> FloatArray:
        """Place of the midline at height `y` (any shape)."""
        off = np.asarray(y, dtype=np.float32) - np.float32(0.5)
        return np.asarray(self.midline + self.tilt * off + self.bend * off * off, dtype=np.float32)

    def chest_wall(self, y: FloatArray | float) -> FloatArray:
        """Distance of the inner chest wall from the midline at height `y` (any shape)."""
        t = np.clip((np.asarray(y, dtype=np.float32) - self.apex) / (LUNG_FLOOR - self.apex), 0.0, 1.0)
        return np.asarray(self.half_width * (0.36 + 0.64 * np.sqrt(1.0 - (1.0 - t) ** 2.8)), dtype=np.float32)

    def inner_border(self, y: FloatArray | float) -> FloatArray:
        """Distance of the lungs' inner border from the midline at height `y` (any shape)."""
        below = np.maximum(np.asarray(y, dtype=np.float32) - self.apex, -0.05)
        return np.asarray(self.mediastinum + 0.06 * np.exp(-below / 0.045), dtype=np.float32)

    def diaphragm(self, x: FloatArray | float) -> FloatArray:
        """Height of the diaphragm at `x` (any shape), either side of the midline."""
        off = np.asarray(x, dtype=np.float32) - self.centre(0.7)
        u = np.abs(off) / self.half_width
        outer = np.clip((u - 0.45) / 0.55, 0.0, 1.2) ** 2.2
        inner = np.clip((0.45 - u) / 0.45, 0.0, 1.0) ** 2
        dome = np.where(off < 0, self.dome_right, self.dome_left)
        return np.asarray(dome + self.dome_depth * (outer + 0.3 * inner) - self.tilt * off, dtype=np.float32)

    def lung_point(self, side: int, across: float, down: float) -> tuple[float, float]:
        """Place in a lung: `across` 0 (inner border) to 1 (chest wall), `down` 0 (apex) to 1 (diaphragm).

        Parameters
        ----------
        side : int
            -1 for the patient's right lung (left of the image), 1 for the left lung.
        across, down : float
            Fractions in [0, 1].

        Returns
        -------
        tuple of float
            x and y in fractions of the image side.
        """
        top = self.apex + 0.03
        floor = float(self.diaphragm(float(self.centre(0.7)) + side * self.half_width * (0.25 + 0.6 * across)))
        y = top + down * (floor - top)
        inner, outer = float(self.inner_border(y)), float(self.chest_wall(y))
        return float(self.centre(y)) + side * (inner + across * (outer - inner)), y


# How far each number spreads over people (first table) and over images of one person (second): standard
# deviations at difficulty 0.5.
_PEOPLE = {
    "half_width": 0.014, "mediastinum": 0.006, "heart_a": 0.008, "heart_b": 0.008, "heart_skew": 0.06,
    "knob": 0.004, "neck": 0.012, "torso": 0.025, "shoulder": 0.02, "rib_gap": 0.003, "rib_phase": 0.3,
    "rib_slope": 0.12, "rib_density": 0.012, "bend": 0.05, "vessels": 0.15, "dome_depth": 0.012,
    "air": 0.015, "clavicle_slope": 0.015,
}  # fmt: skip
_IMAGES = {
    "midline": 0.012, "tilt": 0.025, "apex": 0.015, "dome_right": 0.018, "dome_left": 0.018, "heart_x": 0.006,
    "heart_y": 0.012, "heart_a": 0.004, "clavicle_y": 0.013, "scapula": 0.02, "air": 0.015, "bubble": 0.35,
    "vessels": 0.08,
}  # fmt: skip
_AP = {
    "heart_a": 0.014, "dome_right": -0.035, "dome_left": -0.035, "clavicle_y": -0.02, "clavicle_slope": -0.03,
    "scapula": 0.05, "mediastinum": 0.006, "air": -0.04, "rib_slope": -0.2, "heart_y": -0.02,
}  # fmt: skip
"""An AP image is taken from the front, near, often lying: larger heart, higher diaphragm, blades over lungs."""


def _moved(geometry: Geometry, steps: dict[str, float]) -> Geometry:
    values = {field.name: getattr(geometry, field.name) for field in fields(geometry)}
    return replace(geometry, **{name: values[name] + step for name, step in steps.items()})


def draw_geometry(
    view: str,
    sex: str,
    age: int,
    spread: float,
    person: np.random.Generator,
    image: np.random.Generator,
) -> Geometry:
    """Chest of one person in one pose; knows nothing of findings.

    Parameters
    ----------
    view : str
        "PA" or "AP".
    sex : str
        "M" or "F".
    age : int
        In years; the aortic knob grows and the chest of a child is smaller.
    spread : float
        Factor on all variation, 1 at difficulty 0.5.
    person, image : numpy.random.Generator
        The first gives what stays with a person, the second what changes from image to image.

    Returns
    -------
    Geometry
        With every length inside a plausible range.
    """
    steps = {name: spread * sd * float(person.standard_normal()) for name, sd in _PEOPLE.items()}
    breast = float(person.uniform(0.1, 1.0)) if sex == "F" and age > 13 else 0.0
    for name, sd in _IMAGES.items():
        steps[name] = steps.get(name, 0.0) + spread * sd * float(image.standard_normal())
    if view == "AP":
        steps = {name: steps.get(name, 0.0) + _AP.get(name, 0.0) for name in {**steps, **_AP}}
    steps["knob"] += 0.00015 * (age - 47)
    if sex == "F":
        steps["half_width"] -= 0.008
    geometry = replace(_moved(Geometry(view=view), steps), breast=breast)
    return replace(
        geometry,
        bubble=min(max(geometry.bubble, 0.0), 1.0),
        vessels=max(geometry.vessels, 0.4),
        scapula=max(geometry.scapula, 0.0),
        half_width=min(max(geometry.half_width, 0.27), 0.38),
        knob=min(max(geometry.knob, 0.015), 0.045),
    )
