"""MetaImage and NRRD: same field of view, same type, any order of axes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from monai_sr.errors import InputError
from monai_sr.io import read_volume, write_volume
from tests.io.conftest import oblique


@pytest.fixture
def save(tmp_path):
    def write(array, name="in.mha", spacing=(0.6, 0.9, 4.0)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(spacing)
        along = np.reshape(oblique(), (2, 3))
        image.SetDirection(np.column_stack([*along, np.cross(*along)]).ravel().tolist())
        image.SetOrigin((-30.0, 12.5, 40.0))
        image.SetMetaData("Modality", "MET_MOD_MR")
        sitk.WriteImage(image, str(tmp_path / name))
        return tmp_path / name

    return write


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_the_field_of_view_and_the_type_stay(save, repeated, provenance, tmp_path, suffix, dtype):
    array = np.random.default_rng(0).integers(0, 200, (3, 5, 7)).astype(dtype)
    source = save(array, f"in{suffix}")
    volume = read_volume(source)
    assert volume.array.shape == (3, 7, 5)  # the fastest axis of the file comes first
    out = tmp_path / ("out.nrrd" if suffix == ".nrrd" else "out.mha")
    write_volume(repeated(volume), out, provenance())
    before, after = sitk.ReadImage(str(source)), sitk.ReadImage(str(out))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after), array.repeat(2, 1).repeat(2, 2))
    assert after.GetPixelID() == before.GetPixelID()
    np.testing.assert_allclose(after.GetSpacing(), (0.3, 0.45, 4.0))
    np.testing.assert_allclose(after.GetDirection(), before.GetDirection(), atol=1e-9)
    # The corner of the field of view stays.
    corners = [image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0)) for image in (before, after)]
    np.testing.assert_allclose(*corners, atol=1e-6)


def test_sagittal_slices_are_told_by_their_spacing(save):
    volume = read_volume(save(np.zeros((6, 5, 3), np.int16), spacing=(5.0, 0.9, 0.6)))
    assert volume.array.shape == (3, 5, 6)
    np.testing.assert_allclose(volume.spacing, (0.9, 0.6, 5.0))


def test_what_is_no_such_image_is_refused(save, tmp_path, provenance, repeated):
    (tmp_path / "text.mha").write_text("nothing")
    with pytest.raises(InputError, match=r"text\.mha is not a readable"):
        read_volume(tmp_path / "text.mha")
    colour = sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, str(tmp_path / "colour.nrrd"))
    with pytest.raises(InputError, match="single channel"):
        read_volume(tmp_path / "colour.nrrd")
    cut = save(np.random.default_rng(0).integers(0, 99, (3, 50, 70), np.int16), "cut.mha")
    cut.write_bytes(cut.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"cut\.mha has truncated"):
        read_volume(cut)
    volume = repeated(read_volume(save(np.zeros((3, 5, 7), np.int16))))
    with pytest.raises(InputError, match=r"must end in \.mha or \.nrrd"):
        write_volume(volume, tmp_path / "out.mhd", provenance())
    with pytest.raises(ValueError, match="clip"):
        write_volume(dataclasses.replace(volume, stored_range=(1, 5)), tmp_path / "out.mha", provenance())
    assert not (tmp_path / "out.mha").exists()
