from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_sr import EDSR
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.geometry import scale_affine
from monai_sr.runtimes.memory import GIBIBYTE, RESERVED
from monai_sr.upscaler import BATCH_PIXELS, Upscaler
from monai_sr.volume import Source, Volume

AFFINE = np.array([[0.0, 0.6, 0.1, -30], [0.9, 0, 0, 12.5], [0, 0.1, 4, 40], [0, 0, 0, 1]])


class Function(nn.Module):
    """A network that is a function of the enlarged image."""

    def __init__(self, function=lambda x: x, scale_factor=2):
        super().__init__()
        self.function = function
        self.scale_factor = scale_factor

    def forward(self, x):
        return self.function(F.interpolate(x, scale_factor=self.scale_factor, mode="nearest-exact"))


def images_seen(source):
    """What the network is given, a batch at a time."""
    network, seen = Function(), []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    Upscaler(network)(source)
    return seen


def nearest(scale_factor=2):
    return Upscaler(Function(scale_factor=scale_factor))


def repeated(array, scale_factor=2):
    return array.repeat(scale_factor, 1).repeat(scale_factor, 2)


def volume(array, slope=1.0, intercept=0.0, stored_range=None, padding_value=None):
    frames = len(array)
    if stored_range is None:
        integer = np.issubdtype(array.dtype, np.integer)
        limits = np.iinfo(array.dtype) if integer else None
        stored_range = (limits.min, limits.max) if integer else (-np.inf, np.inf)
    return Volume(
        array,
        AFFINE,
        np.broadcast_to(np.asarray(slope, float), frames),
        np.broadcast_to(np.asarray(intercept, float), frames),
        stored_range,
        Source(),
        Path("series"),
        padding=None if padding_value is None else (padding_value, padding_value),
    )


def noise(dtype=np.int16, shape=(3, 9, 14)):
    generator = np.random.default_rng(0)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return generator.normal(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("scale_factor", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_a_nearest_neighbour_network_keeps_every_pixel(dtype, scale_factor):
    source = volume(noise(dtype))
    out = nearest(scale_factor)(source)
    assert out.array.dtype == dtype
    np.testing.assert_array_equal(out.array, repeated(source.array, scale_factor))
    np.testing.assert_allclose(out.affine, scale_affine(AFFINE, scale_factor))


def test_all_else_of_the_volume_stays():
    source = volume(noise(), slope=[1, 2, 3], intercept=[4, 5, 6])
    before = source.array.copy()
    out = nearest()(source)
    for field in ("slope", "intercept", "stored_range", "source", "path", "padding"):
        assert getattr(out, field) is getattr(source, field)
    np.testing.assert_array_equal(source.array, before)


def test_floats_keep_single_precision_and_are_not_clipped():
    source = volume(noise(np.float32))
    out = Upscaler(Function(lambda x: 1.5 * x))(source)
    assert out.array.dtype == np.float32
    assert out.array.max() > 1.1 * source.array.max()
    np.testing.assert_allclose(nearest()(source).array, repeated(source.array), rtol=1e-4, atol=1e-4)


def test_slope_and_intercept_of_each_frame_are_respected():
    array = noise(np.uint16) // 16
    slope, intercept = np.array([1.0, 0.25, 3.0]), np.array([-1024.0, 0.0, 50.0])
    np.testing.assert_array_equal(nearest()(volume(array, slope, intercept)).array, repeated(array))

    # Frames of the same real values in different encodings look alike to the network.
    real = 4 * np.arange(16, dtype=np.int16).reshape(4, 4)
    (seen,) = images_seen(volume(np.stack([real, real // 2, 2 * real]), [1.0, 2.0, 0.5]))
    assert all(torch.equal(image, seen[0]) for image in seen)


def test_an_overshoot_stays_within_the_bits_that_are_stored():
    array = noise(np.uint16) // 16
    out = Upscaler(Function(lambda x: 3 * x - 1))(volume(array, stored_range=(0, 4095))).array
    assert (out.min(), out.max()) == (0, 4095)
    signed = Upscaler(Function(lambda x: 3 * x - 1))(volume(noise(np.int16))).array
    assert (signed.min(), signed.max()) == (-32768, 32767)
    darker = np.argsort(array[0].ravel())
    assert (np.diff(out[0, ::2, ::2].ravel()[darker].astype(int)) >= 0).all()  # nothing wrapped around


def test_values_are_rounded_not_cut():
    array = np.arange(100, dtype=np.uint8).reshape(1, 10, 10)
    for difference in (0.45, -0.45):
        network = Function(lambda x, stored=difference: x + stored / 99)
        np.testing.assert_array_equal(Upscaler(network)(volume(array)).array, repeated(array))


def padded():
    array = np.random.default_rng(0).integers(0, 1000, (3, 9, 14), np.int16)
    array[:, :, :4] = array[1] = -2000
    return volume(array, padding_value=-2000)


def test_padding_is_filled_from_the_image_s_edge_for_the_network():
    source = padded()
    (seen,) = images_seen(source)
    image = source.array[[0, 2], :, 4:]
    low, high = np.percentile(image, [0.1, 99.9])
    for frame, found in ((source.array[0], seen[0, 0]), (source.array[2], seen[2, 0])):
        expected = np.concatenate([frame[:, [4] * 4], frame[:, 4:]], axis=1)
        np.testing.assert_allclose(found, (expected - low) / (high - low), atol=1e-5)


def test_padding_is_restored_whatever_the_network_says():
    source = padded()
    out = Upscaler(Function(lambda x: x * 0 + 0.5))(source)
    padding = repeated(source.array == -2000)
    assert (out.array[padding] == -2000).all()
    assert (out.array[~padding] > 0).all()
    np.testing.assert_array_equal(nearest()(source).array, repeated(source.array))


def test_pixels_that_are_not_finite_are_counted(caplog):
    array = noise(np.float32)
    nearest()(volume(array))
    assert not caplog.messages
    array[0, 2:4, 5] = np.nan
    nearest()(volume(array))
    assert "2 pixels are not finite; they keep their stored value" in caplog.text


def test_a_volume_without_a_finite_pixel_is_refused():
    with pytest.raises(InputError, match="no pixel of finite value"):
        nearest()(volume(np.full((2, 4, 4), np.nan, np.float32)))


def test_pixels_that_are_not_finite_neither_spread_nor_vanish():
    array = noise(np.float32)
    array[0, 2:4, 5] = np.nan
    array[1, 0, 0] = np.inf
    array[2] = np.nan
    network = EDSR(2, channels=4, num_blocks=1, global_skip=True)
    out = Upscaler(network)(volume(array)).array
    np.testing.assert_array_equal(np.isfinite(out), np.isfinite(repeated(array)))
    assert (out[1, :2, :2] == np.inf).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_without_finite_values_is_refused(value):
    with pytest.raises(MonaiSRError, match="in frames 1 to 3"):
        Upscaler(Function(lambda x: x * value))(volume(noise()))


@pytest.mark.parametrize("value", [0, -1000, 32767])
def test_a_constant_volume_stays_constant(value):
    out = nearest()(volume(np.full((2, 4, 4), value, np.int16))).array
    np.testing.assert_array_equal(out, np.full((2, 8, 8), value))


def test_a_constant_frame_stays_constant_whatever_the_network_says():
    array = np.stack([np.zeros((6, 7), np.int16), noise(np.int16, (1, 6, 7))[0]])
    out = Upscaler(Function(lambda x: x + torch.rand_like(x)))(volume(array)).array
    assert (out[0] == 0).all()
    assert len(np.unique(out[1])) > 6 * 7


def test_nothing_becomes_negative_where_nothing_was():
    magnitude = np.abs(noise(np.int16) // 4)
    for dtype in (np.int16, np.float32):
        out = Upscaler(Function(lambda x: 3 * x - 1))(volume(magnitude.astype(dtype))).array
        assert out.min() == 0
        signed = (magnitude - 1000).astype(dtype)
        assert Upscaler(Function(lambda x: 3 * x - 1))(volume(signed)).array.min() < signed.min()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (64, 3), (33, 65)])
@pytest.mark.parametrize("scale_factor", [2, 3])
def test_output_is_the_input_times_the_scale_and_the_same_each_time(size, scale_factor):
    source = volume(noise(shape=(2, *size)))
    network = EDSR(scale_factor, channels=4, num_blocks=1)
    first, second = Upscaler(network)(source), Upscaler(network)(source)
    assert first.array.shape == (2, size[0] * scale_factor, size[1] * scale_factor)
    np.testing.assert_array_equal(first.array, second.array)


def test_each_frame_is_processed_alone():
    source = volume(noise(shape=(4, 8, 8)), slope=0.5)
    model = Upscaler(EDSR(2, channels=4, num_blocks=1))
    turned = dataclasses.replace(source, array=source.array[::-1])
    np.testing.assert_array_equal(model(turned).array[::-1], model(source).array)


@pytest.mark.parametrize("scale_factor", [2, 3])
@pytest.mark.parametrize("size", [(50, 70), (20, 70), (50, 24)])
def test_tiles_join_to_the_whole(monkeypatch, scale_factor, size):
    network = EDSR(scale_factor, channels=4, num_blocks=1, global_skip=True)
    with torch.no_grad():
        network.tail.weight.normal_(0, 0.02)  # away from the interpolation that it starts as
    smooth = F.interpolate(torch.rand(2, 1, 10, 10), size, mode="bicubic")[:, 0].numpy()
    whole = Upscaler(network).predict(smooth)
    seen = []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape))
    monkeypatch.setattr(Upscaler, "_tile", lambda *arguments: 32)
    tiled = Upscaler(network).predict(smooth)
    assert len(seen) > 2
    assert max(max(shape[2:]) for shape in seen) <= 32
    assert tiled.shape == whole.shape
    np.testing.assert_allclose(tiled, whole, atol=1e-5 * np.ptp(whole))


@pytest.mark.parametrize("tile", [16, 23, 64])
def test_tiles_keep_every_pixel(monkeypatch, tile):
    monkeypatch.setattr(Upscaler, "_tile", lambda *arguments: tile)
    source = volume(noise(np.uint16, (3, 37, 50)))
    np.testing.assert_array_equal(nearest(3)(source).array, repeated(source.array, 3))


def test_too_little_memory_is_refused_with_the_least():
    frames, network = noise(shape=(1, 700, 700)), EDSR(2, channels=64, num_blocks=2)
    with pytest.raises(InputError, match=r"too small .* 700 x 700 pixels: use 1\.1G or more"):
        Upscaler(network, memory=GIBIBYTE // 2)(volume(frames))
    Upscaler(network, memory=int(1.1 * GIBIBYTE)).stream(volume(frames))


@pytest.mark.parametrize("count", [1, 4, 5, 11])
def test_small_frames_are_computed_together_and_each_once_asked_for(count):
    side = int((BATCH_PIXELS / 4) ** 0.5)
    source = volume(noise(np.int16, (count, side, side)))
    assert [len(batch) for batch in images_seen(source)] == {1: [1], 4: [4], 5: [4, 4], 11: [4, 4, 4]}[count]
    little = Upscaler(Function(), memory=RESERVED + 3 * side**2 * 200)
    np.testing.assert_array_equal(little(source).array, repeated(source.array))
    frames = nearest().stream(source).array
    for index in (count - 1, 0, count // 2):
        np.testing.assert_array_equal(frames[index], repeated(source.array)[index])


def test_predict_takes_any_unit():
    frames = np.random.default_rng(0).normal(5e-3, 1e-3, (2, 6, 8))
    np.testing.assert_allclose(nearest().predict(frames), repeated(frames), rtol=1e-5)
    assert nearest().predict(frames).dtype == np.float64


def test_progress_is_told_after_each_frame():
    told = []
    nearest()(volume(noise()), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_network_is_used_as_it_was_evaluated():
    network = Function(lambda x: F.dropout(x, 0.5, network.training))
    assert network.training
    source = volume(noise())
    np.testing.assert_array_equal(Upscaler(network)(source).array, repeated(source.array))
    assert not network.training


def test_a_network_without_a_scale_is_refused():
    with pytest.raises(ValueError, match="scale_factor"):
        Upscaler(Function(scale_factor=2.5))
    with pytest.raises(ValueError, match="scale_factor"):
        Upscaler(nn.Identity())


def test_a_network_of_one_s_own_is_named_in_the_provenance():
    found = Upscaler(EDSR(4, channels=4, num_blocks=1)).provenance
    assert (found.scale_factor, found.bundle, found.weights_sha256) == (4, "EDSR", "none")
