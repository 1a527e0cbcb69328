"""Which bundles are offered, and what is said of them."""

from __future__ import annotations

import shutil

import pytest

from monai_sr.bundle import bundle_folders, find_bundle
from monai_sr.errors import InputError
from monai_sr.integrations.web.offers import offer


def test_every_bundle_is_said_in_a_phrase():
    offers = offer(find_bundle(name) for name in bundle_folders())
    assert [one.name for one in offers][:3] == ["edsr_mri", "srgan_mri", "swift_srgan_mri"]
    assert {one.shown()["label"] for one in offers} == {"MRI", "OCT", "X-ray"}
    for one in offers:
        assert one.mixes == ("srgan" in one.name)
        assert one.scale_factors == (2, 4)
        assert one.description.endswith(".")
        assert "x2" not in one.description
        assert "/" not in str(one.shown())


def test_a_bundle_that_cannot_be_used_is_refused(tmp_path):
    own = find_bundle("edsr_mri")
    with pytest.raises(InputError, match="one name"):
        offer([own, own])
    shutil.copytree(own.root, tmp_path / "bundle", ignore=shutil.ignore_patterns("*.pt"))
    with pytest.raises(InputError, match="no weights"):
        offer([find_bundle(tmp_path / "bundle")])
