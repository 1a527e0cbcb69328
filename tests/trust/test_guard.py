from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sr.degradation import gaussian_blur
from monai_sr.errors import InputError
from monai_sr.intensity import IntensityRange
from monai_sr.trust.guard import FRAMES, DomainGuard, Findings, sample_frames
from monai_sr.volume import Acquisition, LazyFrames, Source, Volume
from tests.bundles.commands import BUNDLES

CARD = json.loads((BUNDLES / "edsr_mri" / "configs" / "metadata.json").read_text())
RANGE = IntensityRange(0, 1000)


def slices(count=3, blur=0.0, seed=0):
    """MR-like: tissue of several intensities on a dark background, and noise, as one kernel leaves it."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1:1:128j, -1:1:128j]
    coarse = torch.from_numpy(generator.random((count, 128, 128)))
    tissue = sum(gaussian_blur(coarse, sigma).numpy() * sigma**0.7 for sigma in (1, 2, 4, 8))
    tissue = 0.45 + (tissue - tissue.mean()) * 0.8
    head = np.where(rows**2 / 0.6 + columns**2 / 0.4 < 1, tissue, 0.0)
    noisy = np.abs(head + generator.normal(0, 0.02, head.shape))
    return np.rint(1000 * gaussian_blur(torch.from_numpy(noisy), blur).numpy()).astype(np.uint16)


def volume(array, spacing=1.5, **said):
    count = len(array)
    return Volume(
        *(array, np.diag([spacing, spacing, 5.0, 1.0]), np.ones(count), np.zeros(count)),
        *((0, 65535), Source(), Path("scan.nii"), None),
        acquisition=Acquisition(**said),
    )


def guard(enforce=False, strict=False, card=CARD):
    return DomainGuard.of_bundle(card, 2, "kspace", enforce, strict)


def test_what_is_outside_is_warned_of_by_its_source_and_numbers(caplog):
    found = guard()(volume(slices(), spacing=6.0, modality="MR"), RANGE)
    (finding,) = found.outside
    assert finding == "pixel spacing 6 mm, trained for x2 on 1.03 to 2 mm"
    assert f"scan.nii is not like what the bundle was trained on: {finding}" in caplog.text
    assert found.told[0] == finding


def test_what_is_within_is_passed_in_silence(caplog):
    assert guard(strict=True)(volume(slices(), modality="MR"), RANGE).outside == ()
    assert caplog.text == ""


def test_what_was_compared_is_told_with_its_numbers_even_where_it_fits():
    found = guard()(volume(slices(), modality="MR"), RANGE)
    number = r"-?\d+\.\d+"
    assert re.fullmatch(
        rf"MR slices, from which it is {number} standard deviations off, where up to {number} would do; "
        rf"noise {number}% \(in training {number}% to {number}%\); "
        r"towards Nyquist's frequency power falls, in powers of ten, "
        rf"by {number} along columns where kspace gives {number} to {number} and "
        rf"by {number} along rows where kspace gives {number} to {number}",
        found.compared,
    )
    assert guard(card={"name": "own"})(volume(slices()), RANGE).compared == ""


def test_strict_refuses_with_all_of_them():
    text = "scan.nii is not like .*modality CT, trained on MR; pixel spacing 6 mm.*leave out --strict"
    with pytest.raises(InputError, match=text):
        guard(strict=True)(volume(slices(), spacing=6.0, modality="CT"), RANGE)


def test_a_degradation_that_does_not_fit_is_told_and_not_enforced(caplog):
    blurred = volume(slices(blur=0.7), modality="MR")
    told = guard()(blurred, RANGE)
    assert told.misfit.startswith("the degradation kspace does not fit")
    assert "kspace" not in caplog.text
    found = guard(enforce=True)(blurred, RANGE)
    assert found.misfit == f"{told.misfit}, so it was not enforced"
    assert not found.fits
    assert f"scan.nii: {found.misfit}" in caplog.text


def test_a_bundle_without_a_domain_finds_nothing_and_cannot_be_strict():
    own = {"name": "own"}
    assert guard(enforce=True, card=own)(volume(slices(), spacing=60.0), RANGE) == Findings()
    with pytest.raises(InputError, match="own states no domain"):
        guard(strict=True, card=own)


def test_few_frames_are_read_and_padding_is_filled():
    read = []

    def make(index):
        read.append(index)
        return np.where(np.eye(32, dtype=bool), 9999, slices(1)[0, :32, :32]).astype(np.uint16)

    many = volume(LazyFrames((100, 32, 32), np.dtype(np.uint16), make))
    frames = list(sample_frames(replace(many, padding=(9999, 9999)), RANGE))
    assert len(frames) == FRAMES
    assert max(frame.max() for frame in frames) < 2
    assert sorted(set(read)) == [6, 18, 31, 43, 56, 68, 81, 93]
