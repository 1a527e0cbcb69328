from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from monai_sr.errors import InputError
from monai_sr.trust.domain import Domain
from monai_sr.volume import Acquisition, Source, Volume
from tests.bundles.commands import BUNDLES

SPACING = 1.5


def card(kind="mri"):
    return json.loads((BUNDLES / f"edsr_{kind}" / "configs" / "metadata.json").read_text())


def typical(kind="mri"):
    """Statistics in the middle of those of training."""
    stated = card(kind)["domain"]
    mean = dict(zip(stated["statistics"], stated["likeness"]["mean"], strict=True))
    edges = {name: sum(bounds) / 2 for name, bounds in stated["edges"]["x2"].items()}
    return mean | {"noise": 10 ** mean["noise"]} | edges


def volume(spacing=(SPACING, SPACING), size=(64, 64), path="scan", **said):
    return Volume(
        *(np.zeros((1, *size), np.uint16), np.diag([*spacing, 5.0, 1.0]), np.ones(1), np.zeros(1)),
        *((0, 65535), Source(), path),
        acquisition=Acquisition(**said),
    )


@pytest.fixture(scope="module")
def mri():
    return Domain.from_card(card())


class TestCompare:
    def test_a_typical_image_is_within(self, mri):
        assert mri.compare(volume(modality="MR", body_part="BRAIN"), [typical()], 2) == ()

    def test_pixels_that_tell_nothing_are_not_taken_for_typical_ones(self, mri):
        (finding,) = mri.compare(volume(), [], 2)
        assert finding.startswith("it holds no frame of 24 x 24 pixels or more that is not constant")
        assert mri.describe([]) == ""

    @pytest.mark.parametrize(
        "spacing", [(2 * 2.0, 2 * 2.0), (1.03 / 2, 1.03 / 2), (SPACING, 4.0), (0.5, SPACING)]
    )
    def test_pixels_of_twice_another_size_are_outside_with_the_numbers(self, mri, spacing):
        (finding,) = mri.compare(volume(spacing), [typical()], 2)
        assert finding.startswith(f"pixel spacing {spacing[0]:.3g}")
        assert finding.endswith("mm, trained for x2 on 1.03 to 2 mm")

    def test_the_scale_counts(self, mri):
        assert mri.compare(volume((3.5, 3.5)), [typical()], 4) == ()
        assert mri.compare(volume((3.5, 3.5)), [typical()], 2)

    def test_an_unknown_spacing_is_not_judged(self, mri):
        assert mri.compare(volume((9.0, 9.0), has_spacing=False), [typical()], 2) == ()

    @pytest.mark.parametrize(
        ("size", "is_within"), [((300, 400), True), ((300, 1100), False), ((90, 300), False)]
    )
    def test_without_spacings_the_number_of_pixels_counts(self, size, is_within):
        xray = Domain.from_card(card("xray"))
        findings = xray.compare(volume(size=size), [typical("xray")], 2)
        assert findings == () if is_within else "trained for x2 on sides of 262 to 512" in findings[0]

    def test_another_modality_and_body_part(self, mri):
        findings = mri.compare(volume(modality="CT", body_part="ABDOMEN"), [typical()], 2)
        assert findings[0] == "modality CT, trained on MR"
        assert findings[1].startswith("another body part, trained on BRAIN")

    def test_what_stands_in_a_tag_is_not_repeated(self, mri):
        findings = mri.compare(volume(modality="DOE^JANE", body_part="DOE^JANE"), [], 2)
        assert findings[0] == "modality another, trained on MR"
        assert "DOE" not in "".join(findings)

    def test_pixels_like_another_modality_s(self, mri):
        (finding,) = mri.compare(volume(), [typical("xray")], 2)
        assert finding.startswith(
            "it looks like X-ray images rather than MR slices, from which it is 0.0 and "
        )
        assert "background 4.7% (in training 30.6% to 67.2%)" in finding
        # A file that says that it is MR is only unlike others of it.
        (finding,) = mri.compare(volume(modality="MR"), [typical("xray")], 2)
        assert finding.startswith("it does not look like MR slices")

    def test_pixels_like_nothing_known(self, mri):
        (finding,) = mri.compare(volume(), [typical() | {"fall_down": 1.0}], 2)
        assert finding.startswith("it does not look like MR slices")

    def test_more_noise_than_twice_that_of_training(self, mri):
        findings = mri.compare(volume(), [typical() | {"noise": 0.15}], 2)
        assert "noise 15.0% (in training 0.9% to 6.1%)" in findings

    def test_inverted_intensities_count_where_they_were_trained_on(self):
        xray = Domain.from_card(card("xray"))
        inverted = typical("xray") | {"middle": 0.3, "rim": 0.95}
        assert xray.compare(volume(size=(300, 300)), [inverted], 2)
        assert xray.compare(volume(size=(300, 300)), [inverted, typical("xray")], 2) == ()


class TestMisfit:
    def test_the_degradation_s_own_fits(self, mri):
        assert mri.misfit(typical(), 2, "kspace") == ""
        assert mri.misfit({}, 2, "kspace") == ""
        assert mri.misfit(typical() | {"edge_down": -3.0}, 8, "kspace") == ""

    def test_a_spectrum_that_ends_too_soon_is_told_with_the_numbers(self, mri):
        text = mri.misfit(typical() | {"edge_down": -1.9}, 2, "kspace")
        assert text.startswith(
            "the degradation kspace does not fit, as towards Nyquist's frequency power falls"
        )
        assert "by 1.900 along columns where kspace gives 0." in text
        assert "along rows" not in text


class TestFromCard:
    def test_a_card_without_one_has_none(self):
        assert Domain.from_card({"name": "own"}) is None

    @pytest.mark.parametrize("kind", ["mri", "oct", "xray"])
    def test_every_bundle_states_one(self, kind):
        assert Domain.from_card(card(kind)).likeness.distance(typical(kind)) == pytest.approx(0, abs=1e-3)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("likeness", {"mean": []}),
            ("limit", "far"),
            ("edges", {"x2": {}}),
            ("statistics", {"noise": [2, 1]}),
            ("pixel_spacing_mm", [1]),
            ("others", 3),
        ],
    )
    def test_a_damaged_one_is_refused(self, key, value):
        damaged = copy.deepcopy(card())
        damaged["domain"][key] = value
        with pytest.raises(
            InputError, match=r"edsr_mri state a domain that cannot be read .* measure it anew"
        ):
            Domain.from_card(damaged)
