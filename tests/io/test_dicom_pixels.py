import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.pixels import get_encoder
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from monai_sr.errors import InputError
from monai_sr.io import open_volume, read_volume


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_every_type_is_read_as_stored(make_series, dtype, syntax):
    limits = np.iinfo(dtype)
    frames = np.random.default_rng(1).integers(limits.min, limits.max, (2, 5, 7), dtype, endpoint=True)
    volume = read_volume(make_series(frames, syntax=syntax))
    np.testing.assert_array_equal(volume.array, frames)
    assert volume.array.dtype == dtype


def test_monochrome1_stays_in_the_stored_sense(make_series):
    def edit(image, index):
        image.PhotometricInterpretation = "MONOCHROME1"

    frames = np.arange(20, dtype=np.uint16).reshape(1, 4, 5)
    np.testing.assert_array_equal(read_volume(make_series(frames, edit=edit)).array, frames)


def compressed(folder, syntax):
    file = folder / "5-90"
    image = dcmread(file)
    image.compress(syntax, generate_instance_uid=False)
    image.save_as(file)
    return file


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_compressed_pixels_are_read_as_stored(make_series, syntax, dtype):
    frames = np.random.default_rng(1).integers(0, 2000, (1, 64, 48), dtype)
    file = compressed(make_series(frames, bits=12), syntax)
    volume = read_volume(file)
    np.testing.assert_array_equal(volume.array, frames)
    assert volume.array.dtype == dtype


@pytest.mark.parametrize("table", ["basic", "extended", None])
@pytest.mark.parametrize("fragments", [1, 3])
def test_frames_are_found_by_any_offset_table_and_without(make_multi_frame, table, fragments):
    frames = np.random.default_rng(1).integers(0, 2000, (4, 12, 10), np.uint16)
    file = make_multi_frame(frames, "multi-frame SC")
    image = dcmread(file)
    image.compress(JPEGLSLossless, generate_instance_uid=False)
    coded = list(generate_frames(image.PixelData, number_of_frames=4))
    image.PixelData = encapsulate(coded, fragments_per_frame=fragments, has_bot=table == "basic")
    if table == "extended":
        image.PixelData, image.ExtendedOffsetTable, image.ExtendedOffsetTableLengths = encapsulate_extended(
            coded
        )
    image.save_as(file)
    opened = open_volume(file).array
    for index in (3, 0, 2, 1):
        np.testing.assert_array_equal(opened[index], frames[::-1][index])


def test_thousands_of_frames_without_an_offset_table_are_read(make_multi_frame):
    frames = np.random.default_rng(1).integers(0, 2000, (6000, 3, 4), np.uint16)
    file = make_multi_frame(frames, "multi-frame SC")
    image = dcmread(file)
    coded = [bytes(frame) for frame in _rle(frames)]
    image.PixelData = encapsulate(coded, has_bot=False)
    image["PixelData"].VR, image["PixelData"].is_undefined_length = "OB", True
    image.file_meta.TransferSyntaxUID = RLELossless
    image.save_as(file)
    opened = open_volume(file).array
    for index in (0, 5999):
        np.testing.assert_array_equal(opened[index], frames[index])


def _rle(frames):
    encoder = get_encoder(RLELossless)
    options = {"rows": frames.shape[1], "columns": frames.shape[2], "bits_allocated": 16, "bits_stored": 16}
    options |= {"pixel_representation": 0, "samples_per_pixel": 1, "number_of_frames": 1}
    for frame in frames:
        yield encoder.encode(frame, photometric_interpretation="MONOCHROME2", **options)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_native_frames_are_read_one_at_a_time_in_either_byte_order(make_multi_frame, syntax, dtype):
    # Of bytes in words, which big endian swaps, an odd number makes a frame.
    frames = np.random.default_rng(1).integers(0, 100, (3, 5, 7), dtype)
    file = make_multi_frame(frames, "multi-frame SC")
    image = dcmread(file)
    image.file_meta.TransferSyntaxUID = syntax
    stored = frames.tobytes() + b"\0" * (frames.nbytes % 2)
    swapped = np.frombuffer(stored, np.uint16).byteswap().tobytes()
    image["PixelData"].VR = "OW"
    image.PixelData = stored if syntax == ExplicitVRLittleEndian else swapped
    dcmwrite(file, image)
    opened = open_volume(file).array
    for index in (2, 0, 1):
        np.testing.assert_array_equal(opened[index], frames[index])


def test_codestream_with_a_forged_size_is_not_decoded(make_series):
    file = compressed(make_series(np.zeros((1, 64, 48), np.uint16)), JPEG2000Lossless)
    data = bytearray(file.read_bytes())
    size = data.index(b"\xff\x4f\xff\x51") + 8
    data[size : size + 8] = (60000).to_bytes(4, "big") * 2
    file.write_bytes(data)
    with pytest.raises(InputError, match="cannot be decoded"):
        read_volume(file)


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_truncated_pixels_are_refused(make_series, syntax):
    frames = np.random.default_rng(1).integers(0, 4096, (1, 64, 48), np.uint16)
    folder = make_series(frames)
    file = compressed(folder, syntax) if syntax else folder / "5-90"
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - 2500])
    with pytest.raises(InputError, match=r"truncated|damaged|cannot be decoded"):
        read_volume(file)


def test_coded_jpeg_of_another_size_is_not_decoded(data_dir, tmp_path):
    data = bytearray((data_dir / "dicom" / "mr_shoulder_jpeg_lossless.dcm").read_bytes())
    size = data.index(b"\xff\xc3") + 5
    data[size : size + 2] = (60000).to_bytes(2, "big")
    (tmp_path / "forged.dcm").write_bytes(data)
    with pytest.raises(InputError, match="cannot be decoded"):
        read_volume(tmp_path / "forged.dcm")


def test_damaged_rle_does_not_panic(make_series):
    file = compressed(make_series(np.zeros((1, 64, 48), np.uint16)), RLELossless)
    data = bytearray(file.read_bytes())
    # One literal run in place of the repeats overflows the frame.
    data[-60:-20] = b"\x7f" * 40
    file.write_bytes(data)
    with pytest.raises(InputError, match="cannot be decoded"):
        read_volume(file)


def test_missing_pixels_are_refused(make_series):
    file = make_series(np.zeros((1, 4, 4), np.uint16)) / "5-90"
    image = dcmread(file)
    del image.PixelData
    image.save_as(file)
    with pytest.raises(InputError, match="no pixel data"):
        read_volume(file)
