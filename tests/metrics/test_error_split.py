from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_sr.metrics import error_split


@pytest.fixture
def images():
    """Interpolation and reference."""
    generator = np.random.default_rng(0)
    low = generator.random((20, 24))
    return torch.from_numpy(low), torch.from_numpy(low + 0.1 * generator.normal(size=low.shape))


def shares(pred, low, high, patch=4):
    parts = error_split(pred, low, high, patch).sum(dim=(1, 2))
    return (parts / parts.sum()).tolist()


def test_the_reference_is_all_improvement_and_interpolation_all_omission(images):
    low, high = images
    assert shares(high, low, high) == [1, 0, 0]
    assert shares(low, low, high) == [0, 1, 0]


def test_half_way_is_half_of_each(images):
    low, high = images
    assert shares((low + high) / 2, low, high) == pytest.approx([0.5, 0.5, 0], abs=1e-6)


def test_what_leads_elsewhere_is_hallucinated(images):
    low, high = images
    improved, omitted, hallucinated = error_split(2 * low - high, low, high, 4)
    assert (improved == 0).all()
    np.testing.assert_allclose(hallucinated, omitted)
    overshot = error_split(low + 1.5 * (high - low), low, high, 4)
    np.testing.assert_allclose(overshot[2], 0.5 * overshot[0])


def test_the_parts_of_a_patch_are_those_of_its_vectors(images):
    low, high = images
    pred = low + torch.rand(low.shape, generator=torch.Generator().manual_seed(0), dtype=low.dtype) / 10
    parts = error_split(pred, low, high, 4)
    added, way = ((image - low)[16:20, 8:12].numpy().ravel() / 4 for image in (pred, high))
    share = np.clip(added @ way / (way @ way), 0, 1)
    length = np.linalg.norm(way)
    expected = share * length, (1 - share) * length, np.linalg.norm(added - share * way)
    np.testing.assert_allclose(parts[:, 4, 2], expected)


def test_a_planted_disc_is_hallucinated_at_its_place(images):
    low, high = images
    planted = high.clone()
    planted[8:12, 12:16] += 0.4
    _, omitted, hallucinated = error_split(planted, low, high, 4)
    assert hallucinated[2, 3] == pytest.approx(0.4, abs=0.1)
    hallucinated[2, 3] = 0
    assert hallucinated.max() < 1e-6
    assert omitted.max() < 1e-6 + omitted[2, 3]


def test_a_removed_disc_is_omitted_at_its_place(images):
    low, high = images
    disc = high.clone()
    disc[8:12, 12:16] += 0.4
    parts = error_split(high, low, disc, 4)
    assert parts[1, 2, 3] == pytest.approx(0.4, abs=0.1)
    assert parts[1, 2, 3] > 2 * (parts[0, 2, 3] + parts[2, 2, 3])


def test_structure_in_an_empty_place_is_hallucinated():
    pred = torch.zeros(8, 8)
    pred[2, 2] = 0.5
    parts = error_split(pred, torch.zeros(8, 8), torch.zeros(8, 8), 4)
    assert parts[:, 0, 0].tolist() == [0, 0, 0.125]
    assert parts.sum() == parts[2, 0, 0]


def test_patches_at_the_end_may_be_smaller(images):
    low, high = (image[:10, :9] for image in images)
    parts = error_split(high, low, high, 4)
    assert parts.shape == (3, 3, 3)
    assert parts[0, 2, 2].item() == pytest.approx(float((high - low)[8:, 8:].square().mean().sqrt()))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="the shapes are"):
        error_split(torch.rand(4, 4), torch.rand(4, 4), torch.rand(4, 5), 2)
    with pytest.raises(ValueError, match="patch is 0"):
        error_split(*(torch.rand(4, 4) for _ in range(3)), 0)
