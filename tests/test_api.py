from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from monai_sr import Upscaler, read_volume, super_resolve
from monai_sr.errors import InputError


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (24, 20), np.uint16)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    return tmp_path / "in.png"


def test_one_call_gives_the_image_before_and_after(picture):
    result = super_resolve(picture, scale_factor=4, device="cpu")
    np.testing.assert_array_equal(result.low.array, read_volume(picture).array)
    expected = Upscaler.from_bundle("edsr_mri", 4, device="cpu")(result.low)
    np.testing.assert_array_equal(result.high.array, expected.array)
    assert result.high.array.shape == (1, 96, 80)


def test_it_is_saved_in_the_format_of_its_source(picture, tmp_path):
    result = super_resolve(str(picture), device="cpu")
    result.save(tmp_path / "out.tif")
    np.testing.assert_array_equal(read_volume(tmp_path / "out.tif").array, result.high.array)
    with pytest.raises(InputError, match=r"in\.png"):
        result.save(picture)


def test_the_picture_shows_before_bicubic_and_after(picture):
    figure = super_resolve(picture, device="cpu").show()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["before", "bicubic", "super-resolution"]
    with pytest.raises(ValueError, match="frame must be from 0 to 0, got 1"):
        super_resolve(picture, device="cpu").show(1)


def test_an_address_is_fetched_from_the_public_internet_only():
    with pytest.raises(InputError, match=r"a\.png (cannot be fetched|is, or redirects to)"):
        super_resolve("http://127.0.0.1:9/a.png")
