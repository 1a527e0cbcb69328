import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io import read_volume
from monai_sr.networks import SliceInterpolator
from monai_sr.sample import sample_dataset_dir
from monai_sr.through_plane import ThroughPlane
from monai_sr.through_plane.grid import SliceGrid
from monai_sr.through_plane.through_plane import RECORD, WEIGHTS
from monai_sr.weights import read_weights


@pytest.fixture
def through(small_network):
    return ThroughPlane(small_network)


def places(volume):
    """World coordinates of every voxel, shape (n, rows, columns, 3)."""
    count, rows, columns = volume.array.shape
    frame, row, column = np.meshgrid(range(count), range(rows), range(columns), indexing="ij")
    index = np.stack([row, column, frame, np.ones_like(row)], -1)
    return (index @ volume.affine.T)[..., :3]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize(("count", "distance", "fine"), [(12, 4.0, 48), (11, 3.3, 36), (12, 2.5, 30)])
def test_a_value_that_tells_its_place_stays_there(make_volume, axis, count, distance, fine):
    # Each voxel holds a coordinate of its own centre in the patient, on an oblique grid.
    volume = make_volume(np.zeros((count, 14, 16), np.float32), distance)
    direction = volume.affine[:3, axis] / np.linalg.norm(volume.affine[:3, axis])
    volume = make_volume((places(volume) @ direction).astype(np.float32), distance)
    inner = slice(2 * fine // count, -2 * fine // count)
    smoothest = ThroughPlane(SliceInterpolator(channels=1, num_blocks=1))
    for through, largest in ((smoothest, 0.1), (ThroughPlane.released(), 1.0)):
        finer = through(volume)
        assert finer.array.shape == (fine, 14, 16)
        assert finer.spacing == pytest.approx((1, 1, count * distance / fine))
        error = (finer.array - places(finer) @ direction)[inner, 3:-3, 3:-3]
        # Half of a finer slice would be 0.5 mm everywhere; a network may draw steps, but moves nothing.
        assert np.abs(error).max() < largest
        assert abs(error.mean()) < 0.05


def test_the_field_of_view_stays(make_volume, through):
    volume = make_volume(np.random.default_rng(0).random((7, 9, 8), np.float32), 3.3)
    finer = through(volume)
    for corner in ((-0.5, -0.5), (8.5, 7.5)):
        for end in (0, 1):
            before = volume.affine @ [*corner, end * len(volume.array) - 0.5, 1]
            after = finer.affine @ [*corner, end * len(finer.array) - 0.5, 1]
            np.testing.assert_allclose(after, before, atol=1e-9)


def slab():
    """The sample's largest slab, cut so that it becomes 3 and 4 times coarser along its rows."""
    return np.asarray(read_volume(sample_dataset_dir() / "nifti" / "mni152_training.nii.gz").array)[
        4:28, 20:140, 30:150
    ]


def psnr(result, truth):
    return 10 * np.log10(4080**2 / np.square(result - truth.astype(float)).mean())


@pytest.mark.parametrize("factor", [3, 4])
def test_it_beats_the_spline_and_gives_its_slices_again(make_volume, factor):
    truth = slab().transpose(1, 0, 2)
    low = np.rint(truth.reshape(-1, factor, *truth.shape[1:]).mean(1)).astype(np.int16)
    finer = ThroughPlane.released()(make_volume(low, float(factor)))
    grid = sitk.Image(*truth.shape[::-1], sitk.sitkFloat32)
    grid.SetSpacing((1, 1, 1 / factor))
    grid.SetOrigin((0, 0, (1 / factor - 1) / 2))
    image = sitk.GetImageFromArray(low.astype(np.float32))
    spline = sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkBSpline))
    assert finer.array.dtype == np.int16
    assert psnr(finer.array, truth) > psnr(spline.clip(0), truth) + 1.5
    assert {value.largest for value in finer.consistency.values()} != set()
    again = SliceGrid(len(low), len(truth)).degradation @ finer.array.reshape(len(truth), -1)
    residual = np.abs(again.reshape(low.shape) - low)
    assert np.median(residual) <= 0.5
    largest = max(value.largest for value in finer.consistency.values())
    assert largest == pytest.approx(residual.max(), rel=1e-6)


def test_it_learns_from_the_volume_and_repeats(make_volume, small_network):
    rows, columns = np.mgrid[:32, :32]
    frames = np.stack([1000 + 500 * np.sin(np.hypot(rows - 3 * z, columns - 20) / 2) for z in range(6)])
    volume = make_volume(frames.astype(np.uint16))
    plain = ThroughPlane(small_network)(volume)
    trained = [ThroughPlane(small_network, self_supervised=True, iterations=3)(volume) for _ in range(2)]
    assert not np.array_equal(plain.array, trained[0].array)
    np.testing.assert_array_equal(trained[0].array, trained[1].array)
    np.testing.assert_array_equal(plain.array, ThroughPlane(small_network)(volume).array)


def test_padding_slopes_and_range_are_kept(make_volume, through):
    array = np.random.default_rng(0).integers(0, 4096, (5, 12, 12)).astype(np.int16)
    array[:, :4] = -2000
    array[2, 6] = -2000
    slope = [1, 2, 3, 4, 5]
    volume = make_volume(array, padding=(-2000, -2000), slope=slope)
    told = []
    finer = through(volume, progress=lambda done, total: told.append((done, total)))
    assert finer.slope.tolist() == np.repeat(slope, 4).tolist()
    assert ((finer.array == -2000) == (array == -2000).repeat(4, 0)).all()
    assert finer.array[finer.array != -2000].min() >= 0
    assert told[-1] == (24, 24)


@pytest.mark.parametrize(("profile", "largest"), [("box", 1), ("gaussian", 80)])
def test_what_overshoots_the_range_is_not_missing_in_the_slices(make_volume, profile, largest):
    # Bright blocks on nothing: sharpening goes below 0, which no magnitude image holds. Slices of a gaussian
    # overlap, and once they are rounded hardly anything above 0 gives all of them again.
    truth = np.zeros((32, 24, 24))
    truth[10:14, 8:16, 8:16] = truth[19:21, 8:16, 8:16] = 4000
    array = np.tensordot(SliceGrid(8, 32, profile=profile).degradation, truth, 1).round().astype(np.uint16)
    finer = ThroughPlane.released(profile)(make_volume(array, 4.0))
    assert finer.array.min() == 0
    assert max(found.largest for found in finer.consistency.values()) <= largest


@pytest.mark.parametrize("fill", [0, 700])
def test_a_constant_volume_stays_constant(make_volume, through, fill):
    finer = through(make_volume(np.full((4, 10, 10), fill, np.uint16)))
    assert (finer.array == fill).all()


def test_a_factor_is_taken_whatever_the_pixels(make_volume, through):
    volume = make_volume(np.random.default_rng(0).random((4, 9, 9), np.float32), distance=1.0)
    assert len(through(volume, slice_factor=3).array) == 12


@pytest.mark.parametrize(
    ("shape", "distance", "thickness", "said"),
    [
        ((1, 8, 8), 4.0, None, "one slice"),
        ((6, 8, 8), 1.0, None, "nothing to find between"),
        ((6, 8, 8), 0.5, None, "nothing to find between"),
        ((6, 8, 8), 4.0, 2.0, "gaps between its slices"),
        ((6, 8, 8), 4.0, 8.0, "overlap too far"),
        ((6, 8, 8), 17.0, None, "would get 17 slices for each"),
    ],
)
def test_what_has_no_slices_between_is_refused(make_volume, through, shape, distance, thickness, said):
    with pytest.raises(InputError, match=said):
        through(make_volume(np.zeros(shape, np.uint16), distance), thickness)


def test_too_much_memory_and_too_small_planes_are_refused(make_volume, small_network):
    volume = make_volume(np.random.default_rng(0).random((4, 12, 12), np.float32), 12.0)
    with pytest.raises(InputError, match="GiB for its finer slices"):
        ThroughPlane(small_network, memory=2**30)(volume)
    with pytest.raises(InputError, match="too small in plane"):
        ThroughPlane(small_network, self_supervised=True)(volume)


def test_a_network_that_diverged_is_named(make_volume, small_network):
    small_network.tail.bias.data.fill_(np.nan)
    with pytest.raises(MonaiSRError, match="not finite"):
        ThroughPlane(small_network)(make_volume(np.arange(4 * 81, dtype=np.float32).reshape(4, 9, 9)))


def test_the_released_weights_are_those_of_the_record():
    record = json.loads(RECORD.read_text("utf-8"))
    assert record["weights_sha256"] == read_weights(WEIGHTS).sha256
    assert not set(record["left_out"]) & set(record["patients"])
