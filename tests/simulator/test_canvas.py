"""Soft shapes, ramps, lines and textures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.simulator.canvas import Canvas, Strokes, axis, cloud, ramp
from chestxpert.simulator.geometry import Geometry

unit = st.floats(-0.5, 1.5)


@given(unit, unit, st.floats(0.001, 0.6), st.floats(0.001, 0.6), st.floats(0.05, 1.0), st.floats(-0.5, 0.5))
def test_an_ellipse_is_the_one_drawn_by_brute_force(
    x: float, y: float, rx: float, ry: float, soft: float, lean: float
) -> None:
    canvas = Canvas(32, Geometry(view="PA"))
    patch = canvas.ellipse((x, y), (rx, ry), soft, lean)
    drawn = np.zeros((32, 32))
    drawn[patch.rows, patch.columns] = patch.weight
    places = (np.arange(32) + 0.5) / 32
    dx, dy = places[None, :] - x, places[:, None] - y
    expected = np.clip((1 - np.hypot((dx - lean * dy) / rx, dy / ry)) / soft, 0, 1)
    assert np.abs(drawn - expected).max() < 1e-2  # float32, radii of a thousandth


def test_add_changes_nothing_outside_its_window() -> None:
    canvas = Canvas(64, Geometry(view="PA"))
    canvas.add(canvas.ellipse((0.5, 0.5), (0.1, 0.1), 0.2), 0.3)
    assert canvas.density[32, 32] == pytest.approx(0.3)
    assert np.count_nonzero(canvas.density) < 0.05 * 64 * 64


def test_ramp_rises_over_its_width() -> None:
    got = ramp(np.array([-1.0, -0.05, 0.0, 0.05, 1.0], dtype=np.float32), 0.2)
    np.testing.assert_allclose(got, [0, 0.25, 0.5, 0.75, 1], atol=1e-6)


def test_lines_are_bright_or_dark_where_drawn_and_nothing_elsewhere() -> None:
    strokes = Strokes(64)
    assert strokes.empty
    strokes.line([(0.0, 0.25), (1.0, 0.25)], 0.06, 0.5)
    strokes.line([(0.0, 0.75), (1.0, 0.75)], 0.06, -0.5)
    field = strokes.field()
    assert not strokes.empty
    assert field.shape == (64, 64)
    assert field[16, 30] == pytest.approx(0.5, abs=0.01)
    assert field[48, 30] == pytest.approx(-0.5, abs=0.01)
    assert not field[32].any()


def test_clouds_are_the_same_for_everyone_and_cropped_by_the_generator() -> None:
    one, again, other = (cloud(64, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.5
    assert abs(float(np.mean([cloud(64, np.random.default_rng(k)).mean() for k in range(50)]))) < 0.3


def test_cached_arrays_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        axis(16)[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        cloud(64, np.random.default_rng(0))[0, 0] = 1.0
