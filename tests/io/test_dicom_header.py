import logging

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, UltrasoundImageStorage

from monai_sr.errors import InputError
from monai_sr.io import read_volume


def assign(**values):
    def edit(image, index):
        for keyword, value in values.items():
            setattr(image, keyword, value)

    return edit


def remove(keyword):
    return lambda image, index: delattr(image, keyword)


FRAME = np.zeros((1, 4, 4), np.uint16)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (assign(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "single-channel"),
        (assign(PhotometricInterpretation="PALETTE COLOR"), "single-channel"),
        (assign(ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]), "MOSAIC"),
        (assign(NumberOfFrames=2), "single frames"),
        (assign(SOPClassUID=EnhancedMRImageStorage), "without functional groups"),
        (
            assign(SOPClassUID=EnhancedMRImageStorage, PerFrameFunctionalGroupsSequence=[Dataset()] * 2),
            "another number of frames",
        ),
        (assign(SOPClassUID=UltrasoundImageStorage), "class"),
        (assign(BitsAllocated=32), "8 or 16 bits"),
        (assign(BitsStored=12, HighBit=15), "packs its bits"),
        (assign(Rows=65535, Columns=65535), "more than is supported"),
        (assign(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "orthonormal"),
        (assign(PixelSpacing=[0, 0.5]), "not positive"),
        (assign(RescaleSlope="0", RescaleIntercept="0"), "RescaleSlope"),
        (remove("Rows"), "no pixel data"),
        (remove("PixelRepresentation"), "damaged DICOM header"),
    ],
)
def test_header_that_cannot_be_served_says_why(make_series, edit, reason):
    file = make_series(FRAME, edit=edit) / "5-90"
    with pytest.raises(InputError, match=reason) as caught:
        read_volume(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert "Doe" not in message
    assert "secret" not in message


def test_identity_is_taken_from_the_meta_header_where_the_dataset_has_none(data_dir):
    volume = read_volume(data_dir / "dicom" / "mr_rescale_decimal.dcm")
    assert volume.slope[0] == 2
    assert volume.intercept[0] == -4096


def test_warnings_that_carry_values_are_silent(make_series, recwarn, caplog):
    with np.errstate():
        folder = make_series(FRAME)
    file = folder / "5-90"
    data = file.read_bytes().replace(b"20240102", b"secret!!")
    file.write_bytes(data)
    with caplog.at_level(logging.DEBUG):
        read_volume(file)
    assert not [warning for warning in recwarn if "secret" in str(warning.message)]
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("signed", "bits", "expected"), [(0, 12, (0, 4095)), (1, 12, (-2048, 2047)), (1, 16, (-32768, 32767))]
)
def test_stored_range_follows_bits_stored(make_series, signed, bits, expected):
    folder = make_series(FRAME.astype(np.int16 if signed else np.uint16), bits=bits)
    assert read_volume(folder).stored_range == expected
