import gc
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from monai_sr.errors import InputError
from monai_sr.io import read_volume
from monai_sr.io.dicom_file import HEADER_BYTES, Rationed, RationError, find_pixels, read_attributes

FRAME = np.random.default_rng(3).integers(0, 4096, (1, 60, 40), np.uint16)


def deflated_part(file):
    """Where the deflated dataset starts, and what it inflates to."""
    data = file.read_bytes()
    start = 144 + struct.unpack("<I", data[140:144])[0]
    return start, zlib.decompress(data[start:], -zlib.MAX_WBITS)


def deflate(file, start, parts):
    """Replace the dataset by `parts`, each (bytes, how often)."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    coded = [compressor.compress(part) for part, count in parts for _ in range(count)]
    file.write_bytes(b"".join([file.read_bytes()[:start], *coded, compressor.flush()]))


def test_deflated_file_is_read(make_series):
    file = make_series(FRAME, syntax=DeflatedExplicitVRLittleEndian) / "5-90"
    np.testing.assert_array_equal(read_volume(file).load().array, FRAME)


def test_deflated_header_inflates_no_further_than_a_header_can_reach(make_series):
    file = make_series(FRAME, syntax=DeflatedExplicitVRLittleEndian) / "5-90"
    start, _ = deflated_part(file)
    zeros = 2**30
    element = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, zeros)
    deflate(file, start, [(element, 1), (bytes(2**20), 64)])
    with pytest.raises(InputError, match="claims a header of over 8 MiB"):
        read_volume(file)


def test_deflated_pixels_that_inflate_to_more_than_the_header_says_are_refused(make_series):
    file = make_series(FRAME, syntax=DeflatedExplicitVRLittleEndian) / "5-90"
    start, dataset = deflated_part(file)
    header = dataset[: dataset.rindex(b"\xe0\x7f\x10\x00OW")]
    zeros = 2**30
    element = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, zeros)
    deflate(file, start, [(header + element, 1), (bytes(2**20), 64)])
    with pytest.raises(InputError, match="damaged pixel data"):
        read_volume(file).load()


def test_frames_of_a_deflated_file_are_read_in_any_order(make_series):
    def edit(image, index):
        image.NumberOfFrames = 3
        image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.3"
        image.Rows = 20

    file = make_series(FRAME, edit=edit, syntax=DeflatedExplicitVRLittleEndian) / "5-90"
    frames = read_volume(file).array
    for index in (2, 0, 1):
        np.testing.assert_array_equal(frames[index], FRAME.reshape(3, 20, 40)[index])


def test_long_header_is_refused(make_series):
    file = make_series(FRAME) / "5-90"
    data = file.read_bytes()
    end = 144 + struct.unpack("<I", data[140:144])[0]
    blob = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, HEADER_BYTES) + bytes(HEADER_BYTES)
    file.write_bytes(data[:end] + blob + data[end:])
    with pytest.raises(InputError, match="claims a header"):
        read_volume(file)


@pytest.fixture
def nothing_collected():
    """No finalizer of other tests' leftovers runs where the stack has no room for it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("nothing_collected")
@pytest.mark.parametrize("undefined_length", [False, True])
@pytest.mark.parametrize("depth", [13, 500])
def test_deeply_nested_sequences_are_refused(make_series, depth, undefined_length):
    # Coded by hand, for pydicom itself runs out of stack.
    sequence = b""
    for _ in range(depth):
        length = 0xFFFFFFFF if undefined_length else len(sequence)
        ends = [struct.pack("<HHI", 0xFFFE, end, 0) * undefined_length for end in (0xE00D, 0xE0DD)]
        item = struct.pack("<HHI", 0xFFFE, 0xE000, length) + sequence + ends[0]
        length = 0xFFFFFFFF if undefined_length else len(item)
        sequence = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, length) + item + ends[1]
    file = make_series(FRAME) / "5-90"
    data = file.read_bytes()
    at = data.index(b"\x10\x00\x10\x00PN")
    file.write_bytes(data[:at] + sequence + data[at:])
    with pytest.raises(InputError, match=r"nests sequences|damaged DICOM"):
        read_volume(file)


def test_nested_sequences_within_the_bound_are_read(make_series):
    item = Dataset()
    for _ in range(11):
        outer = Dataset()
        outer.ReferencedImageSequence = [item]
        item = outer

    def edit(image, index):
        image.ReferencedImageSequence = [item]

    assert read_volume(make_series(FRAME, edit=edit)).array.shape == FRAME.shape


def test_value_too_long_for_its_kind_is_refused(make_series):
    from pydicom.uid import ImplicitVRLittleEndian

    file = make_series(FRAME, syntax=ImplicitVRLittleEndian) / "5-90"
    data = file.read_bytes()
    at = data.index(struct.pack("<HH", 0x0020, 0x0032))
    (length,) = struct.unpack("<I", data[at + 4 : at + 8])
    long = b"1\\" * 2**20
    element = struct.pack("<HHI", 0x0020, 0x0032, len(long)) + long
    file.write_bytes(data[:at] + element + data[at + 8 + length :])
    with pytest.raises(InputError, match="longer than its kind"):
        read_volume(file)


def test_only_named_attributes_are_read(make_series):
    header = read_attributes(make_series(FRAME) / "5-90", ["Rows"])
    assert [element.keyword for element in header] == ["SpecificCharacterSet", "Rows"]


def test_pixels_are_found(make_series):
    file = make_series(FRAME) / "5-90"
    pixels = find_pixels(file)
    assert file.read_bytes()[pixels.offset :] == FRAME.tobytes()
    assert (pixels.length, pixels.vr) == (FRAME.nbytes, "OW")


def test_ration_counts_every_reading():
    file = Rationed(BytesIO(bytes(100)), 100)
    assert file.read(60) == bytes(60)
    file.seek(0)
    with pytest.raises(RationError):
        file.read(60)
    with pytest.raises(RationError):
        Rationed(BytesIO(), 100).read(-1)
