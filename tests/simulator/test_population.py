"""Who is simulated: NIH's prevalences in every image, findings that persist, patients on one side only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.labels import NIH15
from chestxpert.simulator.population import Population, draw_population, flip_labels, largest_patient
from chestxpert.simulator.prevalence import TEST_SHARE, bent_combinations

IMAGES = 12_000


@pytest.fixture(scope="module")
def people() -> Population:
    return draw_population(IMAGES, 1.0, 0.0, np.random.default_rng(1))


def matrix(names: tuple[tuple[str, ...], ...]) -> np.ndarray:
    return np.array([NIH15.encode(row)[:14] for row in names])


def test_prevalences_are_nihs(people: Population) -> None:
    got, expected = matrix(people.labels).mean(axis=0), bent_combinations(1.0).prevalence
    # images of a patient are alike, so a count spreads about twice as far as independent images would make it
    spread = 2.0 * np.sqrt(expected * (1 - expected) / IMAGES)
    assert (np.abs(got - expected) < 4 * spread).all()


def test_later_images_have_the_same_prevalences_as_first_ones(people: Population) -> None:
    truth = matrix(people.labels)
    side = np.array(people.in_test)
    later = np.array([scene.follow_up >= 3 for scene in people.scenes])
    table = bent_combinations(1.0)
    for test in (False, True):
        weights = table.weights[int(test)].sum(axis=0)
        expected = weights @ table.findings / weights.sum()
        rows = later & (side == test)
        spread = 2.5 * np.sqrt(expected * (1 - expected) / rows.sum())
        assert (np.abs(truth[rows].mean(axis=0) - expected) < 4 * spread).all()


def test_findings_persist_from_one_image_to_the_next(people: Population) -> None:
    truth = matrix(people.labels)
    follows = np.array([scene.follow_up > 0 for scene in people.scenes])
    for name, published in (("Pneumothorax", 0.556), ("Effusion", 0.487), ("Infiltration", 0.388)):
        column = truth[:, NIH15.findings.index(name)]
        again = column[1:][follows[1:] & column[:-1]].mean()
        assert abs(again - published) < 0.12
        assert again > column.mean() + 0.1


def test_findings_occur_together_as_in_nihs_table(people: Population) -> None:
    truth = matrix(people.labels)
    table = bent_combinations(1.0)
    joint = (table.findings * table.weights.sum(axis=(0, 1))[:, None]).T @ table.findings
    got = truth.T.astype(float) @ truth / IMAGES
    assert np.abs(got - joint).max() < 0.02
    off = ~np.eye(14, dtype=bool)
    assert np.corrcoef(got[off], joint[off])[0, 1] > 0.97


def test_patients_are_numbered_from_one_and_lie_on_one_side(people: Population) -> None:
    patients = [scene.patient for scene in people.scenes]
    assert sorted(set(patients)) == list(range(1, max(patients) + 1))
    assert patients == sorted(patients)
    sides = {(scene.patient, test) for scene, test in zip(people.scenes, people.in_test, strict=True)}
    assert len(sides) == max(patients)
    assert len({(scene.patient, scene.follow_up) for scene in people.scenes}) == IMAGES
    assert np.mean(people.in_test) == pytest.approx(TEST_SHARE, abs=1e-4)


def test_the_test_list_is_another_population(people: Population) -> None:
    test = np.array(people.in_test)
    ap = np.array([scene.view == "AP" for scene in people.scenes])
    patients = np.array([scene.patient for scene in people.scenes])
    assert ap[test].mean() > ap[~test].mean() + 0.12
    sizes = [rows.sum() / len(np.unique(patients[rows])) for rows in (test, ~test)]
    assert sizes[0] > 2 * sizes[1]


def test_people_have_ages_and_a_sex_that_stay_plausible(people: Population) -> None:
    ages = np.array([scene.age for scene in people.scenes])
    assert ages.min() >= 1
    assert ages.max() <= 95
    assert 42 < np.median(ages) < 54
    sexes = {(scene.patient, scene.sex) for scene in people.scenes}
    assert len(sexes) == people.scenes[-1].patient
    hernia = [scene.age for scene in people.scenes if "Hernia" in scene.findings]
    assert np.mean(hernia) > ages.mean()


@pytest.mark.parametrize("images", [10, 37, 500])
def test_small_cohorts_have_both_sides_and_no_patient_that_fills_one(images: int) -> None:
    small = draw_population(images, 0.0, 0.0, np.random.default_rng(images))
    assert len(small.scenes) == images
    assert 0 < sum(small.in_test) < images
    most = max(scene.follow_up for scene in small.scenes) + 1
    assert most <= largest_patient(images) <= max(4, images // 50)


def test_the_same_generator_gives_the_same_people() -> None:
    one, again = (draw_population(200, 1.2, 0.1, np.random.default_rng(5)) for _ in range(2))
    assert one == again
    assert one != draw_population(200, 1.2, 0.1, np.random.default_rng(6))


@given(st.integers(0, 1000), st.floats(0, 1), st.lists(st.floats(0, 0.5), min_size=1, max_size=4))
def test_label_noise_keeps_every_count(seed: int, noise: float, shares: list[float]) -> None:
    rng = np.random.default_rng(seed)
    truth = np.column_stack([np.arange(200) < share * 200 for share in shares])
    labels = flip_labels(truth, noise, rng)
    np.testing.assert_array_equal(labels.sum(axis=0), truth.sum(axis=0))


def test_label_noise_is_the_share_of_wrong_labels() -> None:
    truth = np.random.default_rng(0).random((20_000, 2)) < (0.3, 0.05)
    labels = flip_labels(truth, 0.25, np.random.default_rng(1))
    right = (labels & truth).sum(axis=0) / labels.sum(axis=0)
    np.testing.assert_allclose(right, 0.75, atol=0.05)
    np.testing.assert_array_equal(flip_labels(truth, 0.0, np.random.default_rng(1)), truth)
    assert not (flip_labels(truth, 1.0, np.random.default_rng(1)) & truth).any()


def test_noise_reaches_the_labels_and_never_the_scenes() -> None:
    noisy = draw_population(300, 1.0, 0.5, np.random.default_rng(5))
    clean = draw_population(300, 1.0, 0.0, np.random.default_rng(5))
    assert noisy.scenes == clean.scenes
    assert clean.labels == tuple(scene.findings for scene in clean.scenes)
    assert noisy.labels != clean.labels
