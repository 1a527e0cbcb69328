import dataclasses

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from monai_sr.geometry import scale_slices
from monai_sr.io import read_volume
from monai_sr.io.slice_writer import write_slices
from monai_sr.volume import Source


def finer(volume, fine):
    """The volume with slices repeated, as a nearest-neighbour network would."""
    count = len(volume.array)
    nearest = ((np.arange(fine) + 0.5) * count / fine).astype(int)
    return dataclasses.replace(
        volume,
        array=np.asarray(volume.array)[nearest],
        affine=scale_slices(volume.affine, fine / count),
        slope=volume.slope[nearest],
        intercept=volume.intercept[nearest],
    )


def oblique():
    turned, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    return turned * np.sign(np.linalg.det(turned))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("fine", [12, 11])
def test_nifti_keeps_its_corners_type_and_codes(tmp_path, provenance, axis, fine):
    shape, spacing = [7, 8, 9], [1.0, 1.0, 1.0]
    shape[axis], spacing[axis] = 4, 3.0
    affine = nib.affines.from_matvec(oblique() * spacing, [5.0, -7, 11])
    stored = np.random.default_rng(0).integers(-99, 99, shape).astype(np.int16)
    image = nib.Nifti1Image(stored, affine)
    image.set_qform(affine, 2)
    image.header["slice_end"], image.header["slice_code"] = 3, 1
    nib.save(image, tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz")
    write_slices(finer(volume, fine), tmp_path / "b.nii.gz", provenance(1))

    source, result = nib.load(tmp_path / "a.nii.gz"), nib.load(tmp_path / "b.nii.gz")
    shape[axis] = fine
    assert result.shape == tuple(shape)
    assert result.get_data_dtype() == np.int16
    assert result.header["qform_code"] == 2
    assert result.header["slice_code"] == 0
    assert result.header.get_zooms()[axis] == pytest.approx(12 / fine)
    itk_source, itk = sitk.ReadImage(str(tmp_path / "a.nii.gz")), sitk.ReadImage(str(tmp_path / "b.nii.gz"))
    for corner in np.ndindex(2, 2, 2):
        ends = [np.multiply(corner, image.shape) - 0.5 for image in (source, result)]
        for form in ("get_qform", "get_sform"):
            before, after = (
                getattr(image, form)() @ [*end, 1] for image, end in zip((source, result), ends, strict=True)
            )
            np.testing.assert_allclose(after, before, atol=1e-4)
        before, after = (
            image.TransformContinuousIndexToPhysicalPoint(end.tolist())
            for image, end in zip((itk_source, itk), ends, strict=True)
        )
        np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_metaimage_and_nrrd_keep_their_corners_and_type(tmp_path, provenance, suffix):
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 99, (6, 4, 7)).astype(np.uint16))
    image.SetSpacing((0.9, 4.0, 0.9))
    image.SetDirection(oblique().ravel().tolist())
    image.SetOrigin((3.0, -50.0, 20.0))
    sitk.WriteImage(image, str(tmp_path / f"a{suffix}"))
    write_slices(finer(read_volume(tmp_path / f"a{suffix}"), 18), tmp_path / f"b{suffix}", provenance(1))
    result = sitk.ReadImage(str(tmp_path / f"b{suffix}"))
    assert result.GetSize() == (7, 18, 6)
    assert result.GetPixelID() == sitk.sitkUInt16
    for corner in np.ndindex(2, 2, 2):
        before, after = (
            each.TransformContinuousIndexToPhysicalPoint((np.multiply(corner, each.GetSize()) - 0.5).tolist())
            for each in (image, result)
        )
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_a_volume_from_nowhere_is_refused(make_series, provenance, tmp_path):
    volume = dataclasses.replace(read_volume(make_series()), source=Source())
    with pytest.raises(ValueError, match="holds no slices"):
        write_slices(volume, tmp_path / "out", provenance(1))
    assert not (tmp_path / "out").exists()
