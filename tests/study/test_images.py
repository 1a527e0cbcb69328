from __future__ import annotations

import base64
import zlib
from dataclasses import replace

import numpy as np
import pytest

from monai_sr.errors import InputError
from monai_sr.io.image import ImageSource
from monai_sr.study.conditions import Case
from monai_sr.study.images import encode_case
from monai_sr.volume import Source, Volume

TYPES = {"Int16Array": "<i2", "Int32Array": "<i4", "Float32Array": "<f4", "Uint8Array": "u1"}


def volume(array, slope=1.0, intercept=0.0, **options):
    count = len(array)
    values = {
        "slope": np.full(count, slope),
        "intercept": np.full(count, intercept),
        "stored_range": (-1e9, 1e9),
    }
    return Volume(
        array,
        options.pop("affine", np.eye(4)),
        **values,
        source=options.pop("source", Source()),
        path=None,
        **options,
    )


def encoded(*volumes, n_slices=1):
    names = [f"condition{number}" for number in range(len(volumes))]
    return encode_case(Case("case", tuple(lambda v=v: v for v in volumes)), names, n_slices)


def values(shown):
    facts = shown.facts["images"]["image"]
    raw = np.frombuffer(zlib.decompress(base64.b64decode(shown.block)), TYPES[facts["type"]])
    return raw.reshape(facts["rows"], facts["columns"]), facts


RAMP = np.arange(5 * 6 * 4).reshape(5, 6, 4)


def test_stored_values_are_kept_where_all_store_them_alike():
    case = encoded(
        volume(RAMP.astype(np.int16), 2, -5), volume((RAMP + 1).astype(np.uint16), 2, -5), n_slices=2
    )
    for condition, stack in enumerate(case.slices):
        for index, shown in zip((1, 3), stack, strict=True):
            array, facts = values(shown)
            np.testing.assert_array_equal(array, RAMP[index] + condition)
            assert (facts["type"], facts["slope"], facts["intercept"]) == ("Int32Array", 2, -5)


def test_the_way_of_storing_tells_no_condition():
    one = volume(RAMP.astype(np.int16), 2, -5, padding=(0, 3))
    other = volume((RAMP * 2.0 - 5).astype(np.float64))
    case = encoded(one, other)
    (first,), (second,) = case.slices
    assert first.facts == second.facts
    np.testing.assert_array_equal(values(first)[0], values(second)[0])
    assert values(first)[1]["type"] == "Float32Array"


def test_windows_are_of_all_conditions_together_and_ignore_padding():
    dark, bright = RAMP[:1].astype(np.int16), (RAMP[:1] + 1000).astype(np.int16)
    dark[0, 0] = -2000
    bounds = {
        window["name"]: window["bounds"]
        for window in encoded(
            volume(dark, padding=(-2000, -2000)), volume(bright, padding=(-2000, -2000))
        ).windows
    }
    assert bounds["full range"] == [4, 1023]
    assert bounds["automatic"][0] < 10
    assert bounds["automatic"][1] > 1000


def test_what_is_not_finite_is_shown():
    array = np.full((1, 4, 4), np.nan)
    array[0, 0] = [np.inf, -np.inf, 1e300, 0]
    case = encoded(volume(array), volume(np.zeros((1, 4, 4), np.float32)))
    assert np.isfinite([bound for window in case.windows for bound in window["bounds"]]).all()


def test_conditions_that_do_not_match_are_refused():
    good = volume(RAMP.astype(np.uint8), source=ImageSource((5, 6, 4), np.dtype(np.uint8)))
    for other, said in (
        (volume(RAMP[:, :3].astype(np.uint8)), "5 x 6 x 4 .* in condition0 and 5 x 3 x 4 in condition1"),
        (volume(RAMP.astype(np.uint8), affine=np.diag([2.0, 2, 1, 1])), "pixels of another size"),
        (replace(good, array=RAMP.astype(np.uint16)), "another depth"),
    ):
        with pytest.raises(InputError, match=said):
            encoded(good, other)
