from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import zoom

from monai_sr.evaluate import BASELINES, EvaluationItem, bicubic, bspline, evaluate
from monai_sr.transforms import BicubicDownsample


@pytest.mark.parametrize("scale_factor", [2, 3, 4])
def test_bicubic_agrees_with_pillow(scale_factor):
    frames = np.random.default_rng(0).random((3, 12, 17), dtype=np.float32)
    finer = bicubic(frames, scale_factor)
    assert finer.shape == (3, 12 * scale_factor, 17 * scale_factor)
    for frame, result in zip(frames, finer, strict=True):
        expected = Image.fromarray(frame).resize(result.shape[::-1], Image.Resampling.BICUBIC)
        np.testing.assert_allclose(result, np.asarray(expected), atol=1e-5)


@pytest.mark.parametrize("scale_factor", [2, 3, 4])
def test_bspline_agrees_with_scipy(scale_factor):
    frame = np.random.default_rng(0).random((12, 17))
    expected = zoom(frame, scale_factor, order=3, mode="grid-mirror", grid_mode=True)
    # ITK mirrors about the centre of the border's pixels, SciPy about their edge: ITK gets SciPy's here.
    wide = np.pad(frame, 12, mode="symmetric")
    result = bspline(wide[None], scale_factor)[0][12 * scale_factor : -12 * scale_factor]
    result = result[:, 12 * scale_factor : -12 * scale_factor]
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("interpolate", BASELINES.values())
@pytest.mark.parametrize("scale_factor", [2, 3, 4, 8])
def test_keeps_every_position_in_the_field_of_view(interpolate, scale_factor):
    rows, columns = np.mgrid[:24, :32].astype(np.float64)
    finer = interpolate(np.stack([rows, columns]), scale_factor)
    centres = (np.arange(32 * scale_factor) + 0.5) / scale_factor - 0.5
    inside = slice(4 * scale_factor, -4 * scale_factor)
    # Lanczos does not reproduce a ramp exactly, but its error has no direction.
    for result, expected in ((finer[0][:, 40], centres[: 24 * scale_factor]), (finer[1][40], centres)):
        np.testing.assert_allclose(result[inside], expected[inside], atol=0.02)
        assert abs((result - expected)[inside].mean()) < 1e-3


@pytest.mark.parametrize("interpolate", BASELINES.values())
def test_keeps_a_constant(interpolate):
    np.testing.assert_allclose(interpolate(np.full((1, 6, 7), 0.3), 4), 0.3, atol=1e-6)


@pytest.mark.parametrize("interpolate", BASELINES.values())
def test_wrong_arguments_are_named(interpolate):
    with pytest.raises(ValueError, match="scale_factor"):
        interpolate(np.zeros((1, 4, 4)), 0)
    with pytest.raises(ValueError, match="frames"):
        interpolate(np.zeros((4, 4)), 2)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("scale_factor", [2, 4])
def test_baselines_on_real_mri_are_sane(data_dir, tmp_path, scale_factor):
    class Bicubic:
        def predict(self, frames):
            return bicubic(frames, scale_factor)

    files = sorted((data_dir / "mri" / "test").glob("*.nii.gz"))
    items = [EvaluationItem(path, path.name.split("_")[0]) for path in files]
    result = evaluate(
        {"again": Bicubic()},
        items,
        degradation=BicubicDownsample(scale_factor),
        scale_factor=scale_factor,
        out_dir=tmp_path / "out",
        max_slices=3,
    )
    psnr = {name: metrics["psnr"].mean for name, metrics in result.summary.items()}
    assert 22 < psnr["bicubic"] < 45
    assert psnr["bicubic"] < psnr["lanczos"] < psnr["bicubic"] + 1
    assert 0.7 < result.summary["bicubic"]["ssim"].mean < 1
