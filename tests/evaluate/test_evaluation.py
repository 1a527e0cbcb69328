from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.evaluate import BASELINES, EvaluationItem, bicubic, evaluate, read_datalist
from monai_sr.evaluate.evaluation import BASELINE
from monai_sr.evaluate.pairs import load_pairs
from monai_sr.metrics.image_quality import METRICS
from monai_sr.transforms import BicubicDownsample, RandRicianNoise
from tests.evaluate.runs import ABOUT, METHODS, SR, Sharpened, run


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def result(shared_datalist, tmp_path_factory):
    return run(shared_datalist, tmp_path_factory.mktemp("result") / "out", about=ABOUT)


def test_every_slice_of_every_file_is_scored_by_every_method(result):
    # File 2 (patient 2) has two empty slices of four.
    expected = {(1, 1, f) for f in (1, 2, 3)} | {(2, 2, f) for f in (3, 4)} | {(1, 3, f) for f in (1, 2)}
    expected |= {(3, 4, f) for f in (1, 2, 3)}
    for method in METHODS:
        scored = [(s.patient, s.file, s.frame) for s in result.image_scores if s.method == method]
        assert len(scored) == len(expected)
        assert set(scored) == expected
    assert result.counts == {"patients": 3, "files": 4, "slices": 10, "slices_left_out": 2, "psnr_capped": 0}


def test_scores_are_those_of_the_images(result, shared_datalist):
    item = read_datalist(shared_datalist)[1]
    pairs = load_pairs(item.path, BicubicDownsample(2), 2)
    finer = Sharpened().predict(pairs.low).clip(0, 1)
    own = [s for s in result.image_scores if s.file == 2 and s.method == SR]
    for index, score in enumerate(own):
        expected = peak_signal_noise_ratio(pairs.high[index], finer[index], data_range=1)
        assert score.scores["psnr"] == pytest.approx(expected, abs=1e-4)


def test_the_table_is_the_mean_over_patients(result):
    for method in METHODS:
        patients = []
        for patient in (1, 2, 3):
            own = [s for s in result.image_scores if (s.patient, s.method) == (patient, method)]
            patients.append(np.mean([s.scores["psnr"] for s in own]))
        assert result.summary[method]["psnr"].mean == pytest.approx(np.mean(patients))
        over_slices = np.mean([s.scores["psnr"] for s in result.image_scores if s.method == method])
        assert result.summary[method]["psnr"].mean != pytest.approx(over_slices, abs=1e-6)


def test_the_difference_is_that_of_the_means_and_paired(result):
    gain = result.differences[SR]["psnr"]
    of_means = result.summary[SR]["psnr"].mean - result.summary[BASELINE]["psnr"].mean
    assert gain.mean == pytest.approx(of_means)
    assert gain.low <= gain.mean <= gain.high
    assert gain.mean > 0
    assert BASELINE not in result.differences


def test_the_files_hold_the_result(result):
    names = {path.name for path in result.out_dir.iterdir()}
    assert names == {
        "per_image.csv",
        "per_patient.csv",
        "results.md",
        "report.html",
        "results.json",
        "patient_001_sharpened.png",
        "patient_002_sharpened.png",
        "patient_003_sharpened.png",
        "worst_slice_sharpened.png",
        "power_spectrum.png",
    }
    images = rows(result.out_dir / "per_image.csv")
    assert len(images) == 10 * len(METHODS)
    assert images[0].keys() == {"patient", "file", "frame", "method", *METRICS}
    assert float(images[0]["psnr"]) == pytest.approx(result.image_scores[0].scores["psnr"], abs=1e-5)
    assert images[0]["ms_ssim"] == ""  # the slices are too small for it
    assert len(rows(result.out_dir / "per_patient.csv")) == 3 * len(METHODS)
    content = json.loads((result.out_dir / "results.json").read_text())
    assert content["methods"][SR]["psnr"]["mean"] == result.summary[SR]["psnr"].mean
    assert content["methods"][SR]["ms_ssim"]["mean"] is None
    assert content["differences_to_bicubic"][SR]["psnr"]["low"] == result.differences[SR]["psnr"].low
    assert content["counts"] == result.counts


def test_no_name_of_a_patient_or_file_is_written(result):
    for path in result.out_dir.iterdir():
        content = path.read_bytes()
        for name in (b"SMITH", b"JONES", b"BROWN", b"nii.gz"):
            assert name not in content


def test_the_same_run_writes_the_same_bytes(result, shared_datalist, tmp_path):
    again = run(shared_datalist, tmp_path / "again", about=ABOUT)
    for path in result.out_dir.iterdir():
        assert path.read_bytes() == (again.out_dir / path.name).read_bytes()


@pytest.mark.usefixtures("without_figures")
def test_bicubic_as_upscaler_has_no_gain(datalist, tmp_path):
    class Bicubic:
        def predict(self, frames):
            return bicubic(frames, 2)

    result = run(datalist, tmp_path / "out", Bicubic())
    for metric, estimate in result.differences[SR].items():
        if metric != "ms_ssim":
            assert (estimate.mean, estimate.low, estimate.high) == (0, 0, 0)


@pytest.mark.usefixtures("without_figures")
def test_a_perfect_upscaler_keeps_every_mean_finite(datalist, tmp_path):
    items = read_datalist(datalist)

    class Oracle:
        """Knows the answer by the low-resolution slices."""

        def predict(self, frames):
            for item in items:
                pairs = load_pairs(item.path, BicubicDownsample(2), 2)
                if np.array_equal(pairs.low, frames):
                    return pairs.high
            raise AssertionError("unknown slices")

    result = run(datalist, tmp_path / "out", Oracle())
    assert result.summary[SR]["psnr"].mean == 100
    assert result.summary[SR]["ssim"].mean == pytest.approx(1)
    assert result.counts["psnr_capped"] == 10
    assert "10 values reached it" in (result.out_dir / "results.md").read_text()


@pytest.mark.usefixtures("without_figures")
def test_values_beyond_the_range_are_clipped_before_scoring(datalist, tmp_path):
    class Overshooting:
        def predict(self, frames):
            finer = bicubic(frames, 2).clip(0, 1)
            return np.where(finer >= 1, 50, np.where(finer <= 0, -50, finer))

    result = run(datalist, tmp_path / "out", Overshooting())
    assert result.differences[SR]["psnr"].mean == pytest.approx(0)


@pytest.mark.usefixtures("without_figures")
def test_several_upscalers_share_the_slices_and_the_baselines(datalist, tmp_path):
    items, options = read_datalist(datalist), {"degradation": BicubicDownsample(2), "scale_factor": 2}
    upscalers = {"one": Sharpened(0.1), "Two, stronger": Sharpened(0.2)}
    both = evaluate(upscalers, items, out_dir=tmp_path / "both", **options)
    assert list(both.summary) == [*BASELINES, *upscalers]
    for name, upscaler in upscalers.items():
        alone = evaluate({name: upscaler}, items, out_dir=tmp_path / name, **options)
        for method in (name, "lanczos"):
            assert alone.summary[method]["psnr"] == both.summary[method]["psnr"]
            assert alone.differences[method]["ssim"] == both.differences[method]["ssim"]
    assert both.summary["one"]["psnr"] != both.summary["Two, stronger"]["psnr"]


@pytest.mark.parametrize("names", [[], ["bicubic"], ["a b", "A-b"]])
def test_upscalers_need_names_of_their_own(datalist, tmp_path, names):
    with pytest.raises(ValueError, match="name of its own"):
        evaluate(
            {name: Sharpened() for name in names},
            read_datalist(datalist),
            degradation=BicubicDownsample(2),
            scale_factor=2,
            out_dir=tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("without_figures")
def test_the_distance_of_features_is_measured_where_a_network_is_given(datalist, tmp_path):
    features = torch.nn.AvgPool2d(2)
    result = run(datalist, tmp_path / "out", features=features, max_slices=1)
    item = read_datalist(datalist)[-1]
    pairs = load_pairs(item.path, BicubicDownsample(2), 2, 1)
    image = torch.from_numpy(Sharpened().predict(pairs.low).clip(0, 1))
    expected = features(torch.from_numpy(pairs.high))
    distance = ((features(image) - expected).square().mean() / expected.square().mean()).sqrt()
    own = [s for s in result.image_scores if (s.file, s.method) == (4, SR)]
    assert own[0].scores["vgg_distance"] == pytest.approx(float(distance), rel=1e-5)
    assert 0 < result.summary[SR]["vgg_distance"].mean < 1
    assert "VGG distance" in (result.out_dir / "results.md").read_text().splitlines()[4]


@pytest.mark.usefixtures("without_figures")
def test_one_patient_has_no_interval(datalist, tmp_path):
    items = read_datalist(datalist)[-1:]
    result = evaluate(
        {SR: Sharpened()}, items, degradation=BicubicDownsample(2), scale_factor=2, out_dir=tmp_path / "out"
    )
    assert result.summary[SR]["psnr"].low is None
    text = (result.out_dir / "results.md").read_text()
    assert "none: it takes at least 2 patients" in text
    assert f"| {SR} | {result.summary[SR]['psnr'].mean:.2f} |" in text


@pytest.mark.usefixtures("without_figures")
def test_progress_is_reported_file_by_file(datalist, tmp_path, capfd):
    reports = []
    run(datalist, tmp_path / "out", on_progress=lambda done, total: reports.append((done, total)))
    assert reports == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("without_figures")
def test_max_slices_limits_each_file(datalist, tmp_path):
    result = run(datalist, tmp_path / "out", max_slices=1)
    assert result.counts["slices"] == 4
    assert "at most 1 of each file" in result.conventions["slices"]


@pytest.mark.usefixtures("without_figures")
def test_a_random_degradation_is_the_same_each_time(datalist, tmp_path):
    from monai.transforms import Compose

    def degradation():
        return Compose([BicubicDownsample(2), RandRicianNoise(prob=1.0, std=(0.01, 0.05))])

    means = [
        evaluate(
            {SR: Sharpened()},
            read_datalist(datalist),
            degradation=degradation(),
            scale_factor=2,
            out_dir=tmp_path / name,
        )
        .summary[BASELINE]["psnr"]
        .mean
        for name in ("one", "two")
    ]
    assert means[0] == means[1]
    assert "RandRicianNoise" in (tmp_path / "one" / "results.md").read_text()


@pytest.mark.usefixtures("without_figures")
def test_a_failure_leaves_nothing_behind(datalist, tmp_path):
    class Failing(Sharpened):
        calls = 0

        def predict(self, frames):
            self.calls += 1
            if self.calls == 3:
                raise MonaiSRError("out of memory")
            return super().predict(frames)

    before = sorted(tmp_path.iterdir())
    with pytest.raises(MonaiSRError, match="out of memory"):
        run(datalist, tmp_path / "out", Failing())
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("without_figures")
def test_an_earlier_result_survives_unless_overwriting(datalist, tmp_path):
    path = run(datalist, tmp_path / "out").out_dir / "results.json"
    old = path.read_bytes()
    with pytest.raises(InputError, match="not empty"):
        run(datalist, path.parent, Sharpened(0.2))
    assert path.read_bytes() == old
    run(datalist, path.parent, Sharpened(0.2), overwrite=True)
    assert path.read_bytes() != old
    (path.parent / "thesis.csv").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.csv is not of an earlier output"):
        run(datalist, path.parent, overwrite=True)
    assert (path.parent / "thesis.csv").read_text() == "mine"


def test_results_never_go_where_the_images_are(datalist):
    with pytest.raises(InputError, match="holds the input"):
        run(datalist, datalist.parent, overwrite=True)


@pytest.mark.usefixtures("without_figures")
def test_what_cannot_be_evaluated_is_refused(datalist, tmp_path, write_nifti):
    options = {"degradation": BicubicDownsample(2), "scale_factor": 2, "out_dir": tmp_path / "out"}
    with pytest.raises(InputError, match="no file to evaluate"):
        evaluate({SR: Sharpened()}, [], **options)
    empty = write_nifti("empty.nii.gz", np.zeros((48, 48, 2), np.int16))
    with pytest.raises(InputError, match=r"empty\.nii\.gz has no slice with signal"):
        evaluate({SR: Sharpened()}, [EvaluationItem(empty, "a")], **options)


@pytest.mark.usefixtures("without_figures")
def test_a_wrong_upscaler_is_refused(datalist, tmp_path):
    class Four:
        def predict(self, frames):
            return bicubic(frames, 4)

    class Broken(Sharpened):
        def predict(self, frames):
            return super().predict(frames) * math.nan

    with pytest.raises(ValueError, match="scale_factor 2 asks for"):
        run(datalist, tmp_path / "out", Four())
    with pytest.raises(MonaiSRError, match="not finite"):
        run(datalist, tmp_path / "out", Broken())


@pytest.mark.parametrize("options", [{"scale_factor": 1}, {"max_slices": 0}])
def test_wrong_arguments_are_named(datalist, tmp_path, options):
    settings = {"scale_factor": 2, "degradation": BicubicDownsample(2), "out_dir": tmp_path / "out"}
    with pytest.raises(ValueError, match=next(iter(options))):
        evaluate({SR: Sharpened()}, read_datalist(datalist), **{**settings, **options})
