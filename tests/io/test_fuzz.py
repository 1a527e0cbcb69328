"""Damaged files give an image or a refusal: a small share of what scripts/fuzz_dicom.py does at length."""

import struct
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import keyword_dict
from pydicom.tag import Tag

from monai_sr.errors import InputError
from monai_sr.io import read_volume
from monai_sr.io.codestream import read_codestream
from tests.bundles.commands import ROOT

LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
SHORT = (
    "AE",
    "AS",
    "AT",
    "CS",
    "DA",
    "DS",
    "DT",
    "FD",
    "IS",
    "LO",
    "LT",
    "PN",
    "SH",
    "SL",
    "SS",
    "TM",
    "UI",
    "US",
)
LOOKED_AT = (
    *(
        "SpecificCharacterSet",
        "ImageType",
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SeriesNumber",
    ),
    *("SOPClassUID", "SOPInstanceUID", "InstanceNumber", "SeriesDate", "SeriesTime", "SeriesDescription"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
    *("PhotometricInterpretation", "NumberOfFrames", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "SliceThickness"),
    *("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
TEXTS = [
    "",
    "0",
    "-1",
    "1\\2",
    "1\\0\\0\\0\\1\\0",
    "nan",
    "inf",
    "1e308",
    "9" * 400,
    "PLANTED",
    "\\" * 300,
    "\0",
    "\x1b",
]

tags = st.sampled_from([Tag(keyword) for keyword in LOOKED_AT]) | st.sampled_from(
    sorted(keyword_dict.values())
)
values = (
    st.sampled_from([text.encode() for text in TEXTS])
    | st.binary(max_size=24)
    | st.integers(0, 2**16 - 1).map(lambda number: struct.pack("<H", number))
    | st.floats(width=64).map(lambda number: struct.pack("<d", number))
)
lengths = st.none() | st.sampled_from([0, 1, 7, 2**15, 2**16 - 1, 2**31, 2**32 - 1])


def coded(tag, kind, value, length):
    size = len(value) if length is None else length
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + kind.encode()
    if kind in LONG:
        return start + struct.pack("<HI", 0, size) + value
    return start + struct.pack("<H", size & 0xFFFF) + value


@pytest.fixture(scope="module")
def good_file(tmp_path_factory):
    """A small good image, whose bytes are changed in place."""
    from tests.io.conftest import header, save

    frame = np.zeros((4, 6), np.uint16)
    return save(header("MR", 0, 1, frame), frame, tmp_path_factory.mktemp("fuzz") / "image.dcm")


@settings(max_examples=400)
@given(
    elements=st.lists(
        st.tuples(tags, st.sampled_from((*LONG, *SHORT, "ZZ")), values, lengths), min_size=1, max_size=3
    ),
    last=st.booleans(),
)
def test_any_attribute_may_be_wrong(good_file, elements, last):
    data = good_file.read_bytes()
    start, end = 144 + struct.unpack("<I", data[140:144])[0], data.rindex(b"\xe0\x7f\x10\x00")
    # A later element replaces an earlier one of its tag, wherever it stands.
    position = end if last else start
    path = good_file.with_name("damaged.dcm")
    path.write_bytes(data[:position] + b"".join(coded(*element) for element in elements) + data[position:])
    message = f"{path} was read"
    try:
        assert read_volume(path).array.ndim == 3
    except InputError as error:
        message = str(error)
    assert message.startswith(str(path))
    assert "\n" not in message


@settings(max_examples=400)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\xd8\xff\xf7\0\x0b"]),
)
def test_any_codestream_is_measured_or_refused(content, start):
    with suppress(struct.error):
        assert len(read_codestream(start + content)) == 3


def test_damaged_files_are_read_or_refused(tmp_path):
    result = subprocess.run(
        [
            sys.executable,
            ROOT / "scripts" / "fuzz_dicom.py",
            "--count",
            "150",
            "--keep",
            tmp_path / "findings",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "150 files" in result.stdout
    assert "0 finding" in result.stdout


def test_a_finding_is_kept_and_told(tmp_path, monkeypatch):
    """The fuzzer itself finds what it should, where reading is broken on purpose."""
    broken = tmp_path / "broken" / "sitecustomize.py"
    broken.parent.mkdir()
    broken.write_text(
        "import monai_sr.io\n"
        "def read_volume(path): raise KeyError('Rows')\n"
        "monai_sr.io.read_volume = read_volume\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{broken.parent}:{ROOT}")
    result = subprocess.run(
        [sys.executable, ROOT / "scripts" / "fuzz_dicom.py", "--count", "1", "--keep", tmp_path / "findings"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "KeyError" in result.stdout
    assert len(list((tmp_path / "findings").iterdir())) == 1
