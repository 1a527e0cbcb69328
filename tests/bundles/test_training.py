"""The bundles train, resume, evaluate and infer by the commands that README shows."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_sr.sample import sample_dataset_dir
from tests.bundles.commands import BUNDLES, ROOT, is_adversarial, rows, run, small_options, training_command


def losses(csv_rows: list[dict[str, float]]) -> list[float]:
    return [value for row in csv_rows for key, value in row.items() if "loss" in key or key.startswith("g_")]


def epochs_done(folder: Path) -> int:
    return len(rows(folder / "metrics.csv")) if (folder / "last.pt").exists() else 0


def test_trains_from_the_root(bundle, tmp_path):
    config = (bundle / "configs" / "train.json").relative_to(ROOT).as_posix()
    run(training_command(config, small_options(bundle, output_dir=tmp_path)), ROOT)
    written = [tmp_path / "metrics.csv"]
    if is_adversarial(bundle):
        written.append(tmp_path / "pixel" / "metrics.csv")
        assert {"g_pixel", "g_adversarial", "d_loss"} <= set(rows(tmp_path / "metrics.csv")[0])
    for path in written:
        values = losses(rows(path))
        assert values
        assert all(math.isfinite(value) for value in values)
        assert (path.parent / "model.pt").is_file()
    assert list(tmp_path.glob("events.out.tfevents*"))


def test_wrong_feature_weights_are_said_in_one_sentence_before_anything(tmp_path):
    bundle = BUNDLES / "swift_srgan_mri"
    options = small_options(bundle, output_dir=tmp_path / "run", mobilenet_weights="nowhere.pt")
    command = training_command(str(bundle / "configs" / "train.json"), options)
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: weights=nowhere.pt does not exist; name a file")
    assert not (tmp_path / "run" / "pixel").exists()


def test_workers_draw_other_data_in_every_epoch(tmp_path):
    bundle = BUNDLES / "edsr_mri"
    # Weights that do not change, so that epochs of the same data would have the same loss.
    options = small_options(bundle, output_dir=tmp_path, max_epochs=3, num_workers=1, learning_rate=0.0)
    run(training_command(str(bundle / "configs" / "train.json"), options), ROOT)
    seen = losses(rows(tmp_path / "metrics.csv"))
    assert len(seen) == len(set(seen)) == 3


@pytest.mark.parametrize("modality", ["mri", "oct", "xray"])
def test_srgan_trains_against_a_critic(modality, tmp_path):
    bundle = BUNDLES / f"srgan_{modality}"
    configs = [str(bundle / "configs" / name) for name in ("train.json", "wgan_gp.json")]
    # The adversarial term is waited for in the bundles; here it counts at once.
    options = small_options(
        bundle, output_dir=tmp_path, **{"train::trainer::adversarial_delay": 0, "learning_rate": 0.0002}
    )
    run(training_command(str(configs), options), ROOT)
    row = rows(tmp_path / "metrics.csv")[0]
    assert math.isfinite(row["d_loss"])
    # The penalty on a critic whose gradient is near 0 is near its weight, far above a cross-entropy of 0.7.
    assert row["d_loss"] > 5


def test_trains_and_infers_when_copied_out_of_the_tree(tmp_path):
    bundle = tmp_path / "elsewhere" / "edsr_mri"
    shutil.copytree(BUNDLES / "edsr_mri", bundle, ignore=shutil.ignore_patterns("runs"))
    run(training_command("configs/train.json", small_options(bundle)), bundle)
    assert (bundle / "runs" / "x2" / "model.pt").is_file()
    command = [
        sys.executable,
        "-m",
        "monai.bundle",
        "run",
        "inference",
        "--config_file",
        "configs/inference.json",
    ]
    run(command, bundle)
    source = nibabel.load(sample_dataset_dir() / "nifti" / "mni152_test.nii.gz")
    finer = nibabel.load(bundle / "runs" / "inference_x2" / "mni152_test_sr.nii.gz")
    assert sorted(finer.shape) == sorted((source.shape[0] * 2, source.shape[1] * 2, source.shape[2]))
    for image, other in ((source, finer), (finer, source)):
        # The centre of either field of view is the centre of the other's.
        centre = image.affine @ [*((np.array(image.shape) - 1) / 2), 1]
        in_other = np.linalg.inv(other.affine) @ centre
        np.testing.assert_allclose(in_other[:3], (np.array(other.shape) - 1) / 2, atol=1e-4)


def test_a_killed_run_resumes_with_its_best_metric(either, tmp_path):
    bundle = either
    config = str(bundle / "configs" / "train.json")
    command = training_command(
        config, small_options(bundle, output_dir=tmp_path, max_epochs=1000, pretrain_epochs=2)
    )
    if not is_adversarial(bundle):
        command = training_command(config, small_options(bundle, output_dir=tmp_path, max_epochs=1000))
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 300
        while epochs_done(tmp_path) < 2 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    before = rows(tmp_path / "metrics.csv")
    assert len(before) >= 2
    epochs = len(before) + 2
    more = {"max_epochs": epochs, "resume": True, "output_dir": tmp_path}
    if is_adversarial(bundle):
        more["pretrain_epochs"] = 2
    log = run(training_command(config, small_options(bundle, **more)), ROOT)
    after = rows(tmp_path / "metrics.csv")
    assert [row["epoch"] for row in after] == list(range(1, epochs + 1))
    assert after[: len(before) - 1] == before[:-1]
    metric, best = ("val_spectrum_error", min) if is_adversarial(bundle) else ("val_psnr", max)
    shown = float(log.rsplit(f"Key metric: {metric.removeprefix('val_')} best value: ", 1)[1].split()[0])
    assert shown == pytest.approx(best(row[metric] for row in after), rel=1e-6)


def test_two_processes_see_different_data(either, tmp_path):
    bundle = either
    overlay = tmp_path / "peek.json"
    seen = "$print('SEEN', torch.distributed.get_rank(), float(next(iter(@train::dataloader))['image'].double().sum()))"
    steps = json.loads((bundle / "configs" / "train.json").read_text())["run"]
    overlay.write_text(json.dumps({"run": [seen, *steps]}))
    configs = [str(bundle / "configs" / name) for name in ("train.json", "multi_gpu_train.json")]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29541"),
        *("-m", "monai.bundle", "run", "training", "--config_file", str([*configs, str(overlay)])),
        *small_options(bundle, output_dir=tmp_path / "run"),
    ]
    log = run(command, ROOT)
    batches = dict(line.split()[1:3] for line in log.splitlines() if line.startswith("SEEN"))
    assert set(batches) == {"0", "1"}
    assert batches["0"] != batches["1"]
    assert [row["epoch"] for row in rows(tmp_path / "run" / "metrics.csv")] == [1]


def test_evaluates_released_weights(released, tmp_path):
    bundle = released
    configs = [str(bundle / "configs" / name) for name in ("train.json", "evaluate.json")]
    command = [
        *(sys.executable, "-m", "monai.bundle", "run", "evaluating", "--config_file", str(configs)),
        *("--output_dir", str(tmp_path), "--slices_per_volume", "2"),
    ]
    run(command, ROOT)
    metrics = dict(line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines())
    assert float(metrics["psnr"]) > 20
    assert 0.5 < float(metrics["ssim"]) < 1
