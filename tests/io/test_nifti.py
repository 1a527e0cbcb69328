import gzip

import nibabel as nib
import numpy as np
import pytest

from monai_sr.errors import InputError
from monai_sr.io import read_volume, write_volume
from monai_sr.io.nifti import frame_axis

AFFINE = np.array([[0.6, -0.1, 0.5, -20], [0.1, 0.9, 0.3, 30], [-0.1, -0.1, 4.0, 12.5], [0, 0, 0, 1.0]])


@pytest.fixture
def save(tmp_path):
    """Function that writes an array as NIfTI and returns the path."""

    def save(array, affine=AFFINE, name="in.nii.gz", image_class=nib.Nifti1Image, **fields):
        image = image_class(array, affine)
        image.header.set_xyzt_units("mm", "sec")
        image.header["descrip"] = b"made in code"
        image.set_qform(affine, 1)
        image.set_sform(affine, 2)
        for field, value in fields.items():
            image.header[field] = value
        nib.save(image, tmp_path / name)
        return tmp_path / name

    return save


def counted(shape, dtype=np.int16):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_what_is_written_is_read_back(save, repeated, provenance, tmp_path, dtype, name):
    volume = repeated(read_volume(save(counted((4, 5, 3), dtype))), 3)
    write_volume(volume, tmp_path / name, provenance(3))
    again = read_volume(tmp_path / name)
    np.testing.assert_array_equal(again.array, volume.array)
    assert again.array.dtype == dtype
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_frames_follow_the_widest_spacing_and_return_to_their_axis(
    save, repeated, provenance, tmp_path, axis
):
    spacing = np.full(3, 0.9)
    spacing[axis] = 5
    array = counted((4, 5, 6))
    volume = read_volume(save(array, np.diag([*spacing, 1])))
    assert len(volume.array) == array.shape[axis]
    np.testing.assert_array_equal(volume.array, np.moveaxis(array, axis, 0))
    np.testing.assert_allclose(volume.spacing, (0.9, 0.9, 5), rtol=1e-6)

    write_volume(repeated(volume), tmp_path / "out.nii.gz", provenance())
    again = nib.load(tmp_path / "out.nii.gz")
    expected = array
    for other in {0, 1, 2} - {axis}:
        expected = expected.repeat(2, other)
    np.testing.assert_array_equal(again.dataobj, expected)
    zooms = np.where(np.arange(3) == axis, 5, 0.45)
    np.testing.assert_allclose(again.header.get_zooms(), zooms, rtol=1e-6)


def test_ties_go_to_the_last_axis():
    assert frame_axis((4, 4, 4), np.array([0.9, 0.859, 0.859])) == 2
    assert frame_axis((4, 4, 4), np.array([1.0, 1.0, 0.7])) == 1
    assert frame_axis((4, 4, 4), np.array([1.2, 1.0, 1.0])) == 0
    assert frame_axis((4, 4, 1), np.array([5.0, 1.0, 1.0])) == 2


def test_both_forms_units_and_description_stay_consistent(save, repeated, provenance, tmp_path):
    write_volume(repeated(read_volume(save(counted((4, 5, 3))))), tmp_path / "out.nii.gz", provenance())
    source, image = nib.load(tmp_path / "in.nii.gz"), nib.load(tmp_path / "out.nii.gz")
    finer = AFFINE @ np.array([[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(image.get_sform(), finer, atol=1e-5)
    # A quaternion holds no shear: the qform is compared with the source's own.
    expected = source.get_qform() @ np.linalg.inv(AFFINE) @ finer
    np.testing.assert_allclose(image.get_qform(), expected, atol=1e-4)
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (1, 2)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert bytes(image.header["descrip"]).startswith(b"made in code")


def test_image_without_codes_stays_centred_where_it_was(save, repeated, provenance, tmp_path):
    path = save(counted((4, 5, 3)), np.diag([0.6, 0.9, 4.0, 1]), qform_code=0, sform_code=0)
    volume = repeated(read_volume(path))
    write_volume(volume, tmp_path / "out.nii", provenance())
    np.testing.assert_allclose(read_volume(tmp_path / "out.nii").affine, volume.affine, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_scaling_is_kept_and_stored_values_stay_stored(save, repeated, provenance, tmp_path, dtype):
    path = save(counted((4, 5, 3), dtype), scl_slope=2.5, scl_inter=-7)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, np.moveaxis(counted((4, 5, 3), dtype), 2, 0))
    assert (volume.slope[0], volume.intercept[0]) == (2.5, -7)
    write_volume(repeated(volume), tmp_path / "out.nii", provenance())
    again = read_volume(tmp_path / "out.nii")
    np.testing.assert_array_equal(again.array, repeated(volume).array)
    assert (again.slope[0], again.intercept[0]) == (2.5, -7)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3, 1), (4, 5, 3, 1, 1)])
def test_dimensions_of_one_are_kept(save, repeated, provenance, tmp_path, shape):
    volume = read_volume(save(counted(shape)))
    assert volume.array.shape == ((shape[2] if len(shape) > 2 else 1), 4, 5)
    write_volume(repeated(volume), tmp_path / "out.nii", provenance())
    assert nib.load(tmp_path / "out.nii").shape == (8, 10, *shape[2:])


def test_big_endian_nifti2_stays_as_it_is(repeated, provenance, tmp_path):
    image = nib.Nifti2Image(counted((4, 5, 3)).astype(">i2"), AFFINE, nib.Nifti2Header(endianness=">"))
    nib.save(image, tmp_path / "in.nii")
    volume = read_volume(tmp_path / "in.nii")
    assert volume.array.dtype.isnative
    write_volume(repeated(volume), tmp_path / "out.nii", provenance())
    again = nib.load(tmp_path / "out.nii")
    assert isinstance(again, nib.Nifti2Image)
    assert again.header.endianness == ">"
    np.testing.assert_array_equal(read_volume(tmp_path / "out.nii").array, repeated(volume).array)


def test_voxels_that_are_not_finite_are_padding(save):
    array = counted((4, 5, 3), np.float32)
    array[0, 0, 0] = np.nan
    volume = read_volume(save(array))
    assert volume.padding is None
    assert volume.without_image(0).sum() == 1


def test_second_run_writes_the_same_bytes(save, repeated, provenance, tmp_path):
    volume = repeated(read_volume(save(counted((4, 5, 3)))))
    for name in ("one.nii.gz", "two.nii.gz"):
        write_volume(volume, tmp_path / name, provenance())
    one, two = (gzip.decompress((tmp_path / name).read_bytes()) for name in ("one.nii.gz", "two.nii.gz"))
    assert one == two


def test_four_dimensions_are_refused(save):
    with pytest.raises(InputError, match="4 dimensions"):
        read_volume(save(counted((4, 5, 3, 2))))


def test_colour_is_refused(save):
    rgb = np.zeros((4, 5, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(InputError, match="single real channel"):
        read_volume(save(rgb))


@pytest.mark.parametrize("name", ["in.nii", "in.nii.gz"])
def test_truncated_file_is_refused(save, name):
    path = save(np.random.default_rng(0).integers(0, 999, (40, 50, 30)).astype(np.int16), name=name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="truncated"):
        read_volume(path)


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_other_content_is_refused(tmp_path, content):
    (tmp_path / "in.nii").write_bytes(content)
    with pytest.raises(InputError, match="not a readable NIfTI"):
        read_volume(tmp_path / "in.nii")


def test_size_is_capped_before_reading(save):
    path = save(counted((4, 5, 3)), name="in.nii")
    data = bytearray(path.read_bytes())
    data[42:48] = np.array([32000, 32000, 32000], "<i2").tobytes()
    path.write_bytes(data)
    with pytest.raises(InputError, match="more voxels"):
        read_volume(path)


def test_output_must_be_nifti(save, repeated, provenance, tmp_path):
    with pytest.raises(InputError, match=r"must end in \.nii"):
        write_volume(repeated(read_volume(save(counted((4, 5, 3))))), tmp_path / "out", provenance())
