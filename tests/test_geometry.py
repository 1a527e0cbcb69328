import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from monai_sr import geometry

ORIENTATION = np.array([0.98, 0.17, 0.1, -0.19, 0.95, 0.25])


def orthonormal(orientation):
    along_row, along_column = orientation.reshape(2, 3)
    along_row = along_row / np.linalg.norm(along_row)
    along_column = along_column - along_row * (along_row @ along_column)
    return np.concatenate([along_row, along_column / np.linalg.norm(along_column)])


@pytest.fixture
def plane():
    return orthonormal(ORIENTATION)


def itk_affine(image):
    """(row, column, frame) -> RAS of a SimpleITK image, whose own order is (column, row, frame) and LPS."""
    lps = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine = np.eye(4)
    affine[:3, :3] = lps[:, [1, 0, 2]]
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ affine


@pytest.mark.parametrize("scale_factor", [1, 2, 3, 4])
def test_finer_grid_is_the_one_of_itk_expand(plane, scale_factor):
    image = sitk.Image([6, 5, 3], sitk.sitkFloat32)
    normal = np.cross(plane[:3], plane[3:])
    image.SetDirection(np.column_stack([plane[:3], plane[3:], normal]).ravel().tolist())
    image.SetSpacing([0.6, 0.9, 4.0])
    image.SetOrigin([-30.0, 12.5, 40.25])
    expanded = sitk.Expand(image, [scale_factor, scale_factor, 1])

    finer = geometry.scale_affine(itk_affine(image), scale_factor)
    np.testing.assert_allclose(finer, itk_affine(expanded), atol=1e-9)
    position = geometry.scale_image_position(image.GetOrigin(), plane, [0.9, 0.6], scale_factor)
    np.testing.assert_allclose(position, expanded.GetOrigin(), atol=1e-9)


def test_slice_affine_is_itk_s(plane):
    normal = np.cross(plane[:3], plane[3:])
    origins = np.array([-30.0, 12.5, 40.25]) + np.outer(np.arange(3) * 4.0, normal)
    image = sitk.Image([6, 5, 3], sitk.sitkFloat32)
    image.SetDirection(np.column_stack([plane[:3], plane[3:], normal]).ravel().tolist())
    image.SetSpacing([0.6, 0.9, 4.0])
    image.SetOrigin(origins[0].tolist())
    np.testing.assert_allclose(
        geometry.slice_affine(origins, plane, [0.9, 0.6], 3.0), itk_affine(image), atol=1e-9
    )


def test_slice_affine_takes_the_thickness_where_positions_give_no_step(plane):
    for origins in ([[1, 2, 3]], [[1, 2, 3], [1, 2, 3]]):
        affine = geometry.slice_affine(origins, plane, [0.9, 0.6], 3.0)
        np.testing.assert_allclose(np.linalg.norm(affine[:3, 2]), 3.0)


def test_scale_one_changes_nothing(plane):
    affine = geometry.slice_affine([[1, 2, 3]], plane, [0.9, 0.6], 3.0)
    np.testing.assert_array_equal(geometry.scale_affine(affine, 1), affine)


def test_field_of_view_keeps_its_corners(plane):
    affine = geometry.slice_affine([[1, 2, 3]], plane, [0.9, 0.6], 3.0)
    finer = geometry.scale_affine(affine, 4)
    for row, column in ((-0.5, -0.5), (9.5, 11.5)):
        corner = affine @ [row, column, 0, 1]
        np.testing.assert_allclose(finer @ [4 * row + 1.5, 4 * column + 1.5, 0, 1], corner, atol=1e-12)


@pytest.mark.parametrize("scale_factor", [0, -2])
def test_scale_factor_below_one_is_refused(scale_factor):
    with pytest.raises(ValueError, match="scale_factor"):
        geometry.scale_affine(np.eye(4), scale_factor)


def test_affine_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        geometry.scale_affine(np.eye(3), 2)


def test_slice_positions_lie_along_the_normal(plane):
    normal = np.cross(plane[:3], plane[3:])
    in_plane = 17 * plane[:3] - 3 * plane[3:]
    np.testing.assert_allclose(geometry.slice_positions([2 * normal, 5 * normal + in_plane], plane), [2, 5])


def test_orientations(plane):
    assert geometry.same_orientation([plane, plane + 1e-5])
    assert not geometry.same_orientation([plane, -plane])
    assert geometry.is_orthonormal(plane)
    assert not geometry.is_orthonormal(2 * plane)


def test_regular_stack_has_no_findings():
    assert geometry.spacing_findings(np.arange(5) * 3.0) == []
    assert geometry.spacing_findings([7.0]) == []


def test_missing_slice_is_found():
    assert geometry.spacing_findings([0, 3, 6, 12]) == ["uneven steps between slices (3 to 6 mm)"]


@pytest.mark.parametrize("ratio", [4, 2.5, 1 / 3])
def test_finer_slices_fill_the_same_field_of_view(plane, ratio):
    affine = geometry.slice_affine([[1, 2, 3]], plane, [0.9, 0.6], 4.0)
    finer = geometry.scale_slices(affine, ratio)
    np.testing.assert_allclose(finer[:3, :2], affine[:3, :2])
    for corner in np.ndindex(2, 2, 2):
        row, column, frame = np.multiply(corner, (8, 9, 30)) - 0.5
        after = finer @ [row, column, (frame + 0.5) * ratio - 0.5, 1]
        np.testing.assert_allclose(after, affine @ [row, column, frame, 1])
    with pytest.raises(ValueError, match="ratio is 0"):
        geometry.scale_slices(affine, 0)
