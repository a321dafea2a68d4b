"""Where things lie: two lungs inside the chest, above the diaphragm, and AP unlike PA."""

import numpy as np
import pytest

from chestxpert.simulator.canvas import Canvas, axis
from chestxpert.simulator.geometry import Geometry, draw_geometry


def drawn(seed: int, view: str = "PA", sex: str = "M", age: int = 50, spread: float = 1.5) -> Geometry:
    return draw_geometry(view, sex, age, spread, np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1]))


@pytest.mark.parametrize("seed", range(30))
def test_every_chest_has_two_lungs_of_plausible_size_inside_the_image(seed: int) -> None:
    canvas = Canvas(96, drawn(seed, view="AP" if seed % 2 else "PA"))
    right = float((canvas.lung * (canvas.off < 0)).mean())
    left = float((canvas.lung * (canvas.off > 0)).mean())
    assert 0.07 < right < 0.22
    assert 0.07 < left < 0.22
    assert not canvas.lung[:3].any()
    assert not canvas.lung[-3:].any()


@pytest.mark.parametrize("side", [-1, 1])
def test_a_point_given_in_lung_terms_lies_in_that_lung(side: int) -> None:
    for seed in range(20):
        geometry = drawn(seed)
        canvas = Canvas(96, geometry)
        for across in (0.15, 0.5, 0.85):
            for down in (0.1, 0.5, 0.85):
                x, y = geometry.lung_point(side, across, down)
                row, column = int(y * 96), int(x * 96)
                assert canvas.lung[row, column] > 0.5
                assert np.sign(canvas.off[row, column]) == side


def test_ap_images_have_larger_hearts_and_higher_diaphragms() -> None:
    pa, ap = ([drawn(seed, view) for seed in range(40)] for view in ("PA", "AP"))
    assert np.mean([g.heart_a for g in ap]) > np.mean([g.heart_a for g in pa]) + 0.01
    assert np.mean([g.dome_right for g in ap]) < np.mean([g.dome_right for g in pa]) - 0.02


def test_people_differ_more_than_images_of_one_person() -> None:
    person = [np.random.default_rng(3) for _ in range(20)]
    same = [draw_geometry("PA", "M", 50, 1.0, rng, np.random.default_rng([k, 1])) for k, rng in enumerate(person)]
    assert len({g.rib_gap for g in same}) == 1
    assert len({g.midline for g in same}) == 20
    assert len({drawn(seed).rib_gap for seed in range(20)}) == 20


def test_borders_are_functions_of_numbers_and_arrays_alike() -> None:
    geometry = drawn(1)
    line = axis(50)
    assert geometry.chest_wall(line).shape == (50,)
    assert float(geometry.diaphragm(float(line[7]))) == pytest.approx(float(geometry.diaphragm(line)[7]))
