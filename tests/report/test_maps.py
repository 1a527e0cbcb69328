from __future__ import annotations

import numpy as np

from monai_sr.report import hallucination_figure, save_figure


def test_maps_lie_over_the_image_and_share_a_scale(tmp_path):
    generator = np.random.default_rng(0)
    split = generator.random((3, 8, 10)) * np.array([9, 1, 2])[:, None, None]
    cutoff = np.array([[0.2, np.nan], [2.0, 1.0]])
    image = generator.random((32, 40))
    figure = hallucination_figure(image, image / 2, split, cutoff, "patient 1, slice 2")
    shown = {axis.get_title(): axis.images[0] for axis in figure.axes if axis.images and axis.get_title()}
    assert {tuple(one.get_extent()) for one in shown.values()} == {(-0.5, 39.5, 31.5, -0.5)}
    np.testing.assert_array_equal(shown["hallucinated"].get_array(), split[2])
    assert shown["omitted"].get_clim() == shown["hallucinated"].get_clim()
    assert shown["original"].get_clim() == shown["super-resolution"].get_clim()
    agreement = shown["agrees with the original up to"].get_array()
    assert agreement.mask.tolist() == [[False, True], [False, False]]
    save_figure(figure, tmp_path / "maps.png")
    assert (tmp_path / "maps.png").stat().st_size > 10_000


def test_equal_images_can_be_drawn():
    flat = np.zeros((16, 16))
    figure = hallucination_figure(flat, flat, np.zeros((3, 4, 4)), np.full((1, 1), np.nan), "")
    assert len(figure.axes) == 7
