"""The gallery shows the surest errors, from the right data set or not at all."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from report_pages import Page

from chestxpert.cohort.table import Cohort
from chestxpert.labels import NIH15
from chestxpert.pixels.manifest import create_pixels, write_manifest
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.store import ImageStore
from chestxpert.report import build_report
from chestxpert.report.gallery import choose
from chestxpert.report.gallery import pictures as gallery_pictures
from chestxpert.report.gallery.choose import confident_errors, shown_recipe
from chestxpert.report.read import StudyFolder, read_study


@pytest.fixture(scope="module")
def study(study_folder: Path) -> StudyFolder:
    return read_study(study_folder)


def brute_force(study: StudyFolder, name: str, finding: str) -> tuple[list[str], list[str]]:
    """Image ids of all false alarms and missed cases, the surest first, one a patient."""
    cohort, column = study.cohort, NIH15.index(finding)
    cut = np.mean(study.results.thresholds(name, finding))
    found: list[tuple[float, bool, str, str]] = []
    runs = [run.predictions.align(cohort, "test")[0] for run in study.runs[name].values()]
    labels, known = cohort.labels(), cohort.known()
    for place, row in enumerate(cohort.rows("test").tolist()):
        prob = float(np.mean([probs[place, column] for probs in runs]))
        truth = bool(labels[row, column])
        if (prob >= cut) != truth and known[row, column]:
            found.append((prob, truth, str(cohort.image_ids[row]), str(cohort.patients[row])))
    lists = []
    for missed in (False, True):
        kept: dict[str, str] = {}
        for _, truth, image, patient in sorted(found, key=lambda each: each[0] if missed else -each[0]):
            if truth == missed:
                kept.setdefault(patient, image)
        lists.append(list(kept.values()))
    return lists[0], lists[1]


def test_the_surest_errors_are_those_of_brute_force(study: StudyFolder) -> None:
    for finding in ("Effusion", "Fibrosis"):
        (errors,) = confident_errors(study, "flat-resampled", [finding])
        alarms, missed = brute_force(study, "flat-resampled", finding)
        assert [error.image_id for error in errors.alarms] == alarms[: choose.EACH]
        assert [error.image_id for error in errors.missed] == missed[: choose.EACH]
        assert errors.n_alarms >= len(alarms) > 0
        assert all(finding not in error.truth for error in errors.alarms)
        assert all(finding in error.truth for error in errors.missed)


def test_the_recipe_is_chosen_on_validation(study: StudyFolder) -> None:
    scores = {name: study.results.recipe(name)["validation"]["macro_ap"] for name in study.results.best}
    assert shown_recipe(study.results) == max(scores, key=lambda name: scores[name])


def test_many_findings_have_fewer_errors_each(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "MOST", 30)
    errors = confident_errors(study, "flat-basic", NIH15.findings)
    assert max(len(each.alarms) for each in errors) == 1


def test_unknown_labels_are_no_errors(
    study_factory: Callable[..., Path], hide: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    def hidden(labels: np.ndarray) -> np.ndarray:
        known = hide(labels, NIH15, 0.4)
        known[:, NIH15.index("No Finding")] |= (labels & known).any(axis=1)
        return known

    study = read_study(study_factory(tmp_path, recipes=("flat-basic",), seeds=(0,), draws=20, hide=hidden))
    row = {str(name): place for place, name in enumerate(study.cohort.image_ids)}
    shown, known = 0, study.cohort.known()
    for each in confident_errors(study, "flat-basic", NIH15.findings):
        for error in (*each.alarms, *each.missed):
            assert known[row[error.image_id], NIH15.index(each.finding)]
            shown += 1
    assert shown > 20


@pytest.fixture
def with_pixels(study_copy: Path, tmp_path: Path) -> Path:
    """The study with a dataset folder of noise beside it, whose images it was run on."""
    cohort = Cohort.load(study_copy / "cohort.parquet")
    dataset = tmp_path / "data"
    pixels = np.random.default_rng(5).integers(0, 255, (len(cohort), 16, 16), dtype=np.uint8)
    make_dataset(dataset, cohort, pixels)
    settings = yaml.safe_load((study_copy / "study.yaml").read_text())
    (study_copy / "study.yaml").write_text(yaml.safe_dump(settings | {"dataset": str(dataset)}))
    return study_copy


def make_dataset(folder: Path, cohort: Cohort, pixels: np.ndarray) -> None:
    folder.mkdir()
    cohort.save(folder / "cohort.parquet")
    (folder / "dataset.json").write_text(json.dumps({"schema": 1}))
    side = pixels.shape[1]
    create_pixels(folder, len(pixels), side)[:] = pixels
    index = pd.DataFrame({"image_id": cohort.image_ids, "width": side, "height": side})
    write_manifest(folder, index, Preprocess(size=side), "test")


def test_a_study_without_its_data_set_says_so_and_names_the_images(study_folder: Path, study: StudyFolder) -> None:
    page = Page(study_folder / "report.html")
    assert "The data set data/nih is not here any more, so there are no pictures." in page.text
    assert not [tag for tag, _ in page.tags if tag == "img"]
    (errors,) = confident_errors(study, shown_recipe(study.results) or "", ["Effusion"])
    assert all(error.image_id in page.text for error in (*errors.alarms, *errors.missed))


def test_the_pictures_are_those_of_the_images_named(with_pixels: Path) -> None:
    page = Page(build_report(with_pixels))
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) > 60
    assert "no-pictures" not in page.ids()
    page.assert_refers_to_nothing_outside()
    store = ImageStore.open(with_pixels.parent / "data")
    for attrs in images[::9]:
        name = re.search(r"Radiograph (\S+): ", attrs["alt"])
        assert name is not None
        stored = store.pixels[store.rows([name[1]])[0]]
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(attrs["src"].split(",")[1]))))
        assert np.corrcoef(stored.ravel(), shown.ravel())[0, 1] > 0.8
    assert not [tag for tag, _ in Page(build_report(with_pixels, images=False)).tags if tag == "img"]


def test_pictures_beyond_the_budget_are_left_out_and_said(with_pixels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_pictures, "BUDGET", 8_000)
    page = Page(build_report(with_pixels))
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert 0 < sum(len(attrs["src"]) for attrs in images) < 16_000  # an image may err for two findings
    assert "Some pictures are left out" in page.text


@pytest.mark.parametrize("what", ["another cohort", "other pixels", "damaged"])
def test_another_data_set_at_the_same_place_is_never_shown(with_pixels: Path, what: str) -> None:
    dataset = with_pixels.parent / "data"
    if what == "another cohort":
        cohort = Cohort.load(dataset / "cohort.parquet")
        Cohort(cohort.table.iloc[:-1], cohort.label_space).save(dataset / "cohort.parquet")
    elif what == "other pixels":
        for path in with_pixels.glob("runs/*/*/environment.json"):
            path.write_text(json.dumps({**json.loads(path.read_text()), "pixels_fingerprint": "0123456789ab"}))
    else:
        (dataset / "pixels.u8").write_bytes(b"short")
    page = Page(build_report(with_pixels))
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert ("cannot be read" if what == "damaged" else "another data set") in page.text
