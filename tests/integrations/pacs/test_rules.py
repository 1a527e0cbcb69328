from __future__ import annotations

from datetime import date, timedelta

import pytest

from monai_sr.errors import InputError
from monai_sr.integrations.pacs.rules import Rules, UnwantedError
from monai_sr.integrations.pacs.server import PacsSeries
from tests.io.conftest import SPACING


@pytest.mark.parametrize(
    ("rules", "matches"),
    [
        ({}, True),
        ({"modality": "MR"}, True),
        ({"modality": "CT"}, False),
        ({"description": "^t1 "}, True),
        ({"description": "t2|flair"}, False),
        ({"modality": "MR", "description": "t2"}, False),
    ],
)
def test_a_series_is_matched_by_what_is_listed(rules, matches):
    assert Rules(**rules).match(PacsSeries("1.2", "1.3", "MR", "T1 axial")) is matches


@pytest.mark.parametrize(
    ("rules", "matches"),
    [
        ({"min_spacing": min(SPACING)}, True),
        ({"min_spacing": max(SPACING)}, False),
        ({"max_spacing": max(SPACING)}, True),
        ({"max_spacing": min(SPACING)}, False),
        ({"min_spacing": 0.5, "max_spacing": 1.0}, True),
    ],
)
def test_a_series_is_matched_by_the_size_of_its_pixels(make_dicom, rules, matches):
    path = next(make_dicom().iterdir())
    if matches:
        Rules(**rules).check(path)
    else:
        with pytest.raises(UnwantedError):
            Rules(**rules).check(path)


def test_no_spacing_is_not_of_a_size(make_dicom):
    path = next(make_dicom(edit=lambda image: delattr(image, "PixelSpacing")).iterdir())
    Rules().check(path)
    with pytest.raises(UnwantedError):
        Rules(min_spacing=0.1).check(path)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"description": "("}, "regular expression"),
        ({"modality": "mr"}, "capitals"),
        ({"min_spacing": 2.0, "max_spacing": 1.0}, "exchange"),
    ],
)
def test_rules_without_sense_are_refused(rules, said):
    with pytest.raises(InputError, match=said):
        Rules(**rules)


def test_a_pacs_is_asked_for_no_more(pacs, empty_orthanc, make_dicom):
    today = date.today()
    for series, days in ((5, 0), (6, 3), (7, 40)):
        day = f"{today - timedelta(days=days):%Y%m%d}"
        empty_orthanc.push(
            make_dicom(
                series, study=series, count=1, edit=lambda image, day=day: setattr(image, "StudyDate", day)
            )
        )
    for since, count in ((None, 3), (1, 1), (3, 2), (50, 3)):
        assert len(list(pacs.search(filters=Rules(modality="MR", since=since).filters()))) == count
    assert list(pacs.search(filters=Rules(modality="CT").filters())) == []
