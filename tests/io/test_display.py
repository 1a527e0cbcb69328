from __future__ import annotations

import numpy as np
import pydicom
import pytest
from PIL import Image

from monai_sr.io import open_volume
from monai_sr.io.display import Display, display_of
from monai_sr.sample import sample_series_dir


@pytest.fixture
def shown(tmp_path):
    """Function from what a header says to how the image is to be shown."""

    def display(**attributes):
        dataset = pydicom.dcmread(sorted(sample_series_dir().iterdir())[0])
        for keyword in ("WindowCenter", "WindowWidth"):
            if keyword in dataset:
                del dataset[keyword]
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(tmp_path / "image.dcm")
        return display_of(open_volume(tmp_path / "image.dcm"))

    return display


def test_the_first_window_of_a_header_is_taken(shown):
    assert shown(WindowCenter=[40.5, 600], WindowWidth=[400, 1500]) == Display(40.5, 400.0)
    assert shown(WindowCenter=-600, WindowWidth=1, PhotometricInterpretation="MONOCHROME1") == Display(
        -600, 1, True
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"WindowCenter": 40},
        {"WindowCenter": 40, "WindowWidth": 0},
        {"WindowCenter": None, "WindowWidth": None},
    ],
)
def test_a_header_without_a_usable_window_names_none(shown, attributes):
    assert shown(**attributes) == Display()


def test_an_enhanced_image_has_its_window_in_its_groups(shown):
    item, voi = pydicom.Dataset(), pydicom.Dataset()
    voi.WindowCenter, voi.WindowWidth = 300, 120
    item.FrameVOILUTSequence = [voi]
    groups = {
        "SharedFunctionalGroupsSequence": [item],
        "PerFrameFunctionalGroupsSequence": [pydicom.Dataset()],
    }
    assert shown(**groups)[:2] == (300, 120)


def test_other_formats_ask_for_nothing(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "image.png")
    assert display_of(open_volume(tmp_path / "image.png")) == Display()
