import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import io as skimage_io

from monai_sr.errors import InputError
from monai_sr.io import read_volume, write_volume
from monai_sr.io.image import output_name


def picture(dtype, shape=(5, 7)):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("name", ["in.png", "in.tif", "in.TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depth_is_kept(repeated, provenance, tmp_path, name, dtype):
    pixels = picture(dtype)
    Image.fromarray(pixels).save(tmp_path / name)
    volume = read_volume(tmp_path / name)
    np.testing.assert_array_equal(volume.array[0], pixels)
    assert volume.stored_range == (0, np.iinfo(dtype).max)
    write_volume(repeated(volume), tmp_path / f"out-{name}", provenance())
    again = skimage_io.imread(tmp_path / f"out-{name}")
    assert again.dtype == dtype
    np.testing.assert_array_equal(again, pixels.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_pages_are_frames(repeated, provenance, tmp_path, byteorder):
    pages = picture(np.uint16, (4, 5, 7))
    tifffile.imwrite(tmp_path / "in.tif", pages, byteorder=byteorder, photometric="minisblack")
    volume = read_volume(tmp_path / "in.tif")
    np.testing.assert_array_equal(volume.array, pages)
    assert volume.array.dtype.isnative
    write_volume(repeated(volume), tmp_path / "out.tif", provenance())
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), repeated(volume).array)
    with pytest.raises(InputError, match="4 pages"):
        write_volume(repeated(volume), tmp_path / "out.png", provenance())


def test_png_may_become_tiff_but_nothing_else(repeated, provenance, tmp_path):
    Image.fromarray(picture(np.uint16)).save(tmp_path / "in.png")
    volume = repeated(read_volume(tmp_path / "in.png"))
    write_volume(volume, tmp_path / "out.tif", provenance())
    with pytest.raises(InputError, match=r"must end in \.png"):
        write_volume(volume, tmp_path / "out.nii", provenance())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1"])
def test_colour_and_other_depths_are_refused(tmp_path, mode):
    Image.new(mode, (7, 5)).save(tmp_path / "in.png")
    with pytest.raises(InputError, match="only single-channel images of 8 or 16 bits"):
        read_volume(tmp_path / "in.png")


@pytest.mark.parametrize("name", ["in.jpg", "in.JPEG"])
def test_jpeg_is_read_and_becomes_png_or_tiff(repeated, provenance, tmp_path, name):
    Image.fromarray(picture(np.uint8)).save(tmp_path / name, "JPEG", quality=90)
    volume = read_volume(tmp_path / name)
    np.testing.assert_array_equal(volume.array[0], skimage_io.imread(tmp_path / name))
    for output in ("out.png", "out.tif"):
        write_volume(repeated(volume), tmp_path / output, provenance())
        np.testing.assert_array_equal(skimage_io.imread(tmp_path / output), repeated(volume).array[0])
    with pytest.raises(InputError, match=r"must end in \.png"):
        write_volume(repeated(volume), tmp_path / "out.jpg", provenance())


def test_a_jpeg_s_finer_version_has_another_name():
    assert output_name("a.b.jpeg") == "a.b.png"
    assert output_name("a.TIF") == "a.TIF"


def test_a_jpeg_in_colour_is_refused(tmp_path):
    Image.new("RGB", (7, 5)).save(tmp_path / "in.jpg")
    with pytest.raises(InputError, match="only single-channel"):
        read_volume(tmp_path / "in.jpg")


def test_pages_of_different_sizes_are_refused(tmp_path):
    first, second = Image.new("L", (7, 5)), Image.new("L", (6, 5))
    first.save(tmp_path / "in.tif", save_all=True, append_images=[second])
    with pytest.raises(InputError, match="pages of different"):
        read_volume(tmp_path / "in.tif")


def test_damaged_and_misnamed_files_are_refused(tmp_path):
    Image.fromarray(picture(np.uint16, (64, 64))).save(tmp_path / "in.png")
    data = (tmp_path / "in.png").read_bytes()
    (tmp_path / "in.png").write_bytes(data[: len(data) // 2])
    Image.new("L", (7, 5)).save(tmp_path / "photo.jpg")
    (tmp_path / "photo.jpg").rename(tmp_path / "photo.png")
    for name in ("in.png", "photo.png"):
        with pytest.raises(InputError, match="not a readable"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize("size", [9000, 30000])
def test_size_is_capped_before_decoding(tmp_path, size):
    Image.new("L", (7, 5)).save(tmp_path / "in.png")
    data = bytearray((tmp_path / "in.png").read_bytes())
    # The header's sum of check, or Pillow would call the file broken.
    data[16:24] = size.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "in.png").write_bytes(data)
    with pytest.raises(InputError, match="too large: over 67108864 pixels"):
        read_volume(tmp_path / "in.png")


@pytest.mark.parametrize(
    ("dtype", "reason"), [(np.float32, "floating point; convert"), (np.int32, "32-bit or signed integers")]
)
def test_tiff_of_another_depth_is_told_what_it_holds(tmp_path, dtype, reason):
    first, *others = [Image.fromarray(np.ones((5, 7), dtype)) for _ in range(3)]
    first.save(tmp_path / "in.tif", save_all=True, append_images=others)
    with pytest.raises(InputError, match=reason):
        read_volume(tmp_path / "in.tif")


def test_a_stack_written_as_channels_is_told_to_be_pages(tmp_path):
    Image.new("RGB", (7, 5)).save(tmp_path / "in.tif")
    with pytest.raises(InputError, match="a stack of them as one page each"):
        read_volume(tmp_path / "in.tif")
