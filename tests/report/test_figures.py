from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from monai_sr.report import (
    comparison_figure,
    evaluation_figure,
    power_spectrum_figure,
    roc_figure,
    save_figure,
    training_figure,
)


@pytest.fixture
def images():
    high = np.random.default_rng(0).random((32, 48)).astype(np.float32)
    low = high.reshape(16, 2, 24, 2).mean(axis=(1, 3))
    bicubic = low.repeat(2, axis=0).repeat(2, axis=1)
    return low, bicubic, (bicubic + high) / 2, high


def shown(figure):
    return [image for axis in figure.axes for image in axis.get_images()]


def test_evaluation_figure_shows_six_images_without_interpolation(images):
    drawn = shown(evaluation_figure(*images, title="patient 1"))
    assert len(drawn) == 6
    assert {image.get_interpolation() for image in drawn} == {"nearest"}
    np.testing.assert_array_equal(drawn[0].get_array(), images[0])
    np.testing.assert_allclose(drawn[4].get_array(), np.abs(images[1] - images[3]))
    np.testing.assert_allclose(drawn[5].get_array(), np.abs(images[2] - images[3]))


def test_images_share_a_window_and_errors_share_a_scale(images):
    drawn = shown(evaluation_figure(*images))
    assert len({image.get_clim() for image in drawn[:4]}) == 1
    assert drawn[4].get_clim() == drawn[5].get_clim()
    assert {image.get_cmap().name for image in drawn[:4]} == {"gray"}


def test_low_resolution_lies_where_high_resolution_does(images):
    drawn = shown(evaluation_figure(*images))
    assert len({tuple(image.get_extent()) for image in drawn[:4]}) == 1


def test_a_perfect_result_can_be_drawn(images, tmp_path):
    low, _, _, high = images
    save_figure(evaluation_figure(low, high, high, high), tmp_path / "figure.png")
    flat = np.zeros_like(high)
    save_figure(evaluation_figure(np.zeros_like(low), flat, flat, flat), tmp_path / "flat.png")
    for name in ("figure.png", "flat.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_comparison_magnifies_the_most_varied_part():
    sr = np.full((64, 64), 0.5)
    sr[40:56, 8:24] += 0.4 * (np.indices((16, 16)).sum(axis=0) % 2)
    figure = comparison_figure(sr[::2, ::2], sr, sr, titles=("a", "b", "c"))
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a", "b", "c"]
    for axis in figure.axes[3:]:
        assert axis.get_xlim() == (7.5, 23.5)
        assert axis.get_ylim() == (55.5, 39.5)


def test_comparison_takes_the_given_part(images):
    figure = comparison_figure(*images[:3], inset=(2, 3, 10, 20))
    assert figure.axes[3].get_xlim() == (2.5, 22.5)
    assert figure.axes[3].get_ylim() == (11.5, 1.5)


def test_power_spectrum_figure_has_a_line_for_each_image():
    frequencies = np.linspace(0.1, 0.5, 5)
    figure = power_spectrum_figure(frequencies, {"bicubic": frequencies, "high": 2 * frequencies}, 0.25)
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    assert labels[:2] == ["bicubic", "high"]
    assert figure.axes[0].get_yscale() == "log"


def test_the_area_under_a_drawn_curve_is_the_one_in_its_legend():
    generator = np.random.default_rng(0)
    placements = {"bicubic": generator.random(60) ** 2, "sr": generator.random(40) ** 3, "sure": [0.0] * 5}
    axis = roc_figure(placements).axes[0]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels[0] == "guessing: 0.500"
    for line, label, (name, values) in zip(axis.lines[1:], labels[1:], placements.items(), strict=True):
        falsely, rightly = line.get_xydata().T
        area = float(np.sum(np.diff(falsely) * rightly[:-1]))
        assert line.get_drawstyle() == "steps-post"
        assert area == pytest.approx(1 - np.mean(values))
        assert label == f"{name}: {area:.3f}"
        assert (falsely[0], rightly[0], falsely[-1], rightly[-1]) == (0, 0, 1, 1)


def test_the_same_figure_is_the_same_file(images, tmp_path):
    for name in ("one.png", "two.png"):
        save_figure(evaluation_figure(*images, title="patient 1"), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as image:
        assert "Software" not in image.info
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]


def test_drawing_leaves_no_global_state():
    code = "import sys, monai_sr.report; print('matplotlib.pyplot' in sys.modules, 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_wrong_arguments_are_named(images):
    low, bicubic, sr, high = images
    with pytest.raises(ValueError, match="shapes"):
        evaluation_figure(low, bicubic, sr[1:], high)
    with pytest.raises(ValueError, match="low has shape"):
        evaluation_figure(low[1:], bicubic, sr, high)
    with pytest.raises(ValueError, match="inset"):
        comparison_figure(low, bicubic, sr, inset=(30, 0, 10, 10))
    with pytest.raises(ValueError, match="spectrum"):
        power_spectrum_figure(np.ones(3), {"bicubic": np.ones(4)}, 0.25)


def test_training_figure_draws_each_quantity_of_each_training():
    curves = {
        "one": {"loss": [3.0, 2.0, 1.0], "psnr": [30.0, float("nan"), 32.0]},
        "two": {"loss": [4.0, 2.0]},
    }
    loss, psnr = training_figure(curves).axes[:2]
    assert [line.get_xydata().tolist() for line in loss.lines] == [
        [[1, 3], [2, 2], [3, 1]],
        [[1, 4], [2, 2]],
    ]
    assert psnr.lines[0].get_xydata().tolist() == [[1, 30], [3, 32]]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["one", "two"]
    with pytest.raises(ValueError, match="no quantity"):
        training_figure({})
