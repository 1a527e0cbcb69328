"""The upscaler with a degradation to compare its frames by."""

from __future__ import annotations

import numpy as np
import pytest

from monai_sr import Upscaler
from monai_sr.errors import InputError
from monai_sr.runtimes.memory import RESERVED
from monai_sr.volume import Consistency
from tests.test_upscaler import Function, volume


def checked(function=lambda x: x, enforce=False, **options):
    return Upscaler(Function(function), kernel="binning", enforce=enforce, **options)


class TestConsistency:
    image = np.random.default_rng(3).integers(0, 4096, (3, 10, 12)).astype(np.uint16)

    def test_each_frame_is_compared_as_it_is_made(self):
        finer = checked().stream(volume(self.image, stored_range=(0, 4095)))
        assert dict(finer.consistency) == {}
        finer.array[1]
        # Small frames are made together.
        assert dict(finer.consistency) == dict.fromkeys(range(3), Consistency("binning", 0, 0))

    def test_an_invention_is_measured_in_stored_units(self):
        # A tenth of the range, which is 99.8% of the values.
        brighter = checked(lambda x: x + 0.1)(volume(self.image, stored_range=(0, 65535)))
        for found in brighter.consistency.values():
            assert found.rms == pytest.approx(409, abs=3)
            assert found.largest == pytest.approx(409, abs=3)

    def test_an_invention_is_removed(self):
        enforced = checked(lambda x: x + 0.1, enforce=True)(volume(self.image, stored_range=(0, 65535)))
        means = enforced.array.reshape(3, 10, 2, 12, 2).mean((2, 4))
        assert np.abs(means - self.image).max() <= 0.5
        assert len(enforced.consistency) == 3
        assert all(found.largest <= 0.5 for found in enforced.consistency.values())

    def test_floating_point_is_enforced_by_its_range(self):
        image = self.image / 4095e3
        enforced = checked(lambda x: x + 0.1, enforce=True)(volume(image))
        means = enforced.array.reshape(3, 10, 2, 12, 2).mean((2, 4))
        assert np.abs(means - image).max() <= 0.5e-3 / 4095 * 1.01
        assert all(found.largest <= 0.5e-3 / 4095 * 1.01 for found in enforced.consistency.values())

    def test_padding_does_not_count(self):
        image = self.image.astype(np.int16)
        image[:, :, :4] = -2000
        finer = checked(enforce=True)(volume(image, padding_value=-2000))
        assert (finer.array[:, :, :8] == -2000).all()
        assert all(found.largest == 0 for found in finer.consistency.values())

    def test_without_memory_it_is_left_out_or_refused(self, caplog, monkeypatch):
        source, limit = volume(self.image), RESERVED + 200_000
        monkeypatch.setattr("monai_sr.upscaler.CHECKING_BYTES", 10**6)
        assert dict(checked(memory=limit)(source).consistency) == {}
        assert "too large for --memory to compare" in caplog.text
        with pytest.raises(InputError, match="give more, or leave out --consistency"):
            checked(memory=limit, enforce=True)(source)

    def test_a_bundle_enforces_the_degradation_of_its_card(self):
        source = volume(self.image, stored_range=(0, 4095))
        enforced = Upscaler.from_bundle("swift_srgan_mri", runtime="torch", consistency="enforce")
        assert enforced.provenance.computation == "torch float32, agreement by kspace asked for"
        assert all(found.largest <= 0.5 for found in enforced(source).consistency.values())
        assert Upscaler.from_bundle("swift_srgan_mri", runtime="torch", consistency="off").kernel is None

    def test_an_unknown_wish_is_refused(self):
        with pytest.raises(InputError, match="no consistency sometimes: use report, enforce, off"):
            Upscaler.from_bundle("swift_srgan_mri", consistency="sometimes")
