"""Networks are taught to leave faint lesions by the committed script."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import replace

import pytest
import torch
from monai.utils import set_determinism

from monai_sr.bundle import Bundle, find_bundle, weights_file
from monai_sr.evaluate import BASELINES, make_degradation
from monai_sr.networks import EDSR
from monai_sr.sample import sample_dataset_dir
from scripts import teach_lesions
from scripts.lesion_loss import LesionLoss
from scripts.teach_lesions import LESSONS, Lesson
from tests.bundles.commands import BUNDLES

SHORT = Lesson(iterations=2, learning_rate=1e-3, share=1.0)


def test_every_taught_weight_is_the_released_one():
    assert LESSONS
    for name, lesson in LESSONS.items():
        bundle, scale = name.rsplit("_x", 1)
        kept = json.loads((BUNDLES / bundle / "docs" / f"training_x{scale}.json").read_text())["lesson"]
        assert {key: kept[key] for key in vars(lesson)} == vars(lesson)
        weights = weights_file(BUNDLES / bundle, int(scale))
        assert kept["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert kept["begun_with_sha256"] != kept["sha256"]


@pytest.fixture
def untaught():
    """A network that changes noise as it enlarges it, and smooth slices to enlarge."""
    set_determinism(0)
    network = EDSR(2, channels=8, num_blocks=1, global_skip=True)
    with torch.no_grad():
        network.tail.weight.normal_(0, 0.2)
    generator = torch.Generator().manual_seed(1)
    low = torch.nn.functional.avg_pool2d(torch.rand(4, 1, 48, 48, generator=generator), 13, 1)
    yield network, low
    set_determinism(None)


def off_by(network, low, clean):
    """How far a network is from a clean output with enlarged noise on it, RMS over the noise's."""
    noise = 0.02 * torch.randn(low.shape, generator=torch.Generator().manual_seed(2))
    enlarged = torch.from_numpy(BASELINES["lanczos"](noise[:, 0].numpy(), 2))[:, None]
    with torch.no_grad():
        error = network(low + noise) - clean - enlarged
    return float(error.std() / enlarged.std())


def lesions():
    return LesionLoss(make_degradation("bicubic", 2), 2, seed=0)


def test_what_is_taught_noise_keeps_its_clean_output_and_passes_noise_on(untaught):
    network, low = untaught
    with torch.no_grad():
        clean = network(low)
    before = off_by(network, low, clean)
    batches = ({"image": low} for _ in range(400))
    losses = teach_lesions.teach(network, batches, Lesson(400, 5e-3, 0.8), lesions(), adversarial=True)
    assert losses[-1] < 0.5 * losses[0]
    assert off_by(network, low, clean) < 0.7 * before
    with torch.no_grad():
        assert (network(low) - clean).abs().mean() < 0.05 * clean.std()


def test_what_is_taught_lesions_loses_less_of_them(untaught):
    network, low = untaught
    many = low.repeat(8, 1, 1, 1)
    before = float(lesions()(network, many).detach())
    batches = ({"image": low} for _ in range(60))
    lesson = Lesson(60, 5e-3, lesions=0.05)
    teach_lesions.teach(network, batches, lesson, lesions(), adversarial=True)
    assert float(lesions()(network, many).detach()) < 0.3 * before


def test_a_pixel_model_is_taught_the_high_resolution_slice(untaught):
    network, low = untaught
    label = torch.from_numpy(BASELINES["lanczos"](low[:, 0].numpy(), 2))[:, None]
    before = off_by(network, low, label)
    batches = ({"image": low, "label": label} for _ in range(400))
    teach_lesions.teach(network, batches, Lesson(400, 5e-3, 0.8), lesions(), adversarial=False)
    assert off_by(network, low, label) < 0.7 * before
    with torch.no_grad():
        assert (network(low) - label).abs().mean() < 0.05 * label.std()


def test_a_loss_that_is_not_a_number_stops_the_lesson(untaught):
    network, low = untaught
    with pytest.raises(ValueError, match="iteration 1 is not a number: lower the learning rate"):
        teach_lesions.teach(network, [{"image": low * torch.nan}], SHORT, lesions(), adversarial=True)


def test_too_few_batches_are_refused(untaught):
    network, low = untaught
    with pytest.raises(ValueError, match="2 iterations need as many batches, got 1"):
        teach_lesions.teach(network, [{"image": low}], SHORT, lesions(), adversarial=True)


@pytest.mark.parametrize(
    ("name", "mixture", "weight"),
    [("swift_srgan_mri", 1.0, 0.0), ("swift_srgan_mri", 0.25, 0.01), ("edsr_mri", 0.25, 0.01)],
)
def test_a_bundle_gets_weights_losses_and_a_record(tmp_path, monkeypatch, name, mixture, weight):
    released = find_bundle(name).root
    root = tmp_path / released.name
    for folder in ("configs", "models", "docs"):
        shutil.copytree(released / folder, root / folder)
    monkeypatch.setattr(teach_lesions, "LOGGED", 1)
    target, lesson = weights_file(root, 2), replace(SHORT, mixture=mixture, lesions=weight)
    others = {path: path.read_bytes() for path in (root / "models").iterdir() if path != target}
    rest, final = (
        torch.load(weights_file(root, 2, stage), weights_only=True)
        for stage in ("" if name == "edsr_mri" else "pixel", "")
    )
    begun = hashlib.sha256(target.read_bytes()).hexdigest()
    teach_lesions.release(Bundle(root), 2, lesson, sample_dataset_dir() / "datalist.json")
    assert all(path.read_bytes() == content for path, content in others.items())
    made = torch.load(target, weights_only=True)
    for key, value in made.items():
        if value.is_floating_point():  # two small steps away from the share of each
            expected = (1 - mixture) * rest[key].float() + mixture * final[key].float()
            assert torch.allclose(value.float(), expected, atol=5e-3, rtol=2e-3)
    record = json.loads((root / "docs" / "training_x2.json").read_text())
    assert record["lesson"] == {
        **vars(lesson),
        "greatest_noise": teach_lesions.NOISE,
        "begun_with_sha256": begun,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }
    assert record["lesson"]["sha256"] != begun
    assert record["half_precision_psnr"]["final"] > 60
    with (root / "docs" / "lesson_x2.csv").open() as file:
        assert [row["iteration"] for row in csv.DictReader(file)] == ["1", "2"]


def test_a_modality_without_a_datalist_is_named(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["teach_lesions", "--datalists", "mri=x.json", "--only", "srgan_oct_x4"])
    with pytest.raises(SystemExit) as stopped:
        teach_lesions.main()
    assert stopped.value.code == 2
    assert "oct=FILE is needed to teach srgan_oct_x4" in capsys.readouterr().err
