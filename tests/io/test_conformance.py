"""The conformance report finds what the validators are silent on."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from monai_sr.io import read_volume, write_volume

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "conformance.py"


@pytest.fixture
def series(make_series, repeated, provenance, tmp_path):
    """Folders of a source and of its derived series."""
    folder = make_series(np.random.default_rng(0).integers(0, 4096, (2, 20, 24), np.uint16), bits=12)
    write_volume(repeated(read_volume(folder)), tmp_path / "derived", provenance())
    return folder, tmp_path / "derived"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def edited(series, change):
    """The derived series after a change to its first image."""
    file = min(series[1].iterdir())
    image = dcmread(file)
    change(image, dcmread(min(series[0].iterdir())))
    image.save_as(file)
    return [sorted(folder.iterdir()) for folder in series]


def test_a_sound_series_has_no_finding(script, series):
    assert script["own_findings"](*edited(series, lambda image, source: None)) == {}


def assign(**attributes):
    def change(image, source):
        for keyword, value in attributes.items():
            setattr(image, keyword, value)

    return change


def beyond(image, source):
    pixels = image.pixel_array.copy()
    pixels[0, 0] = 5000
    image.PixelData = pixels.tobytes()


def private(image, source):
    image.private_block(0x0029, "MAKER", create=True).add_new(1, "LO", "left")


def without_reference(image, source):
    image.SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (assign(PixelSpacing=[0.9, 0.6]), "pixel spacing is not"),
        (assign(ImagePositionPatient=[-30, 12.5, 40.25]), "ImagePositionPatient is not"),
        (assign(ImageType=["ORIGINAL", "PRIMARY"]), "not DERIVED"),
        (assign(PatientID="other"), "PatientID changed"),
        (
            lambda image, source: assign(SeriesInstanceUID=source.SeriesInstanceUID)(image, source),
            "is the source's",
        ),
        (lambda image, source: image.add_new(0x60003000, "OW", b"\0\0"), "overlay"),
        (assign(RescaleSlope="2"), "rescaling"),
        (private, "private"),
        (beyond, "beyond BitsStored"),
    ],
)
def test_a_planted_fault_is_found(script, series, change, finding):
    found = script["own_findings"](*edited(series, change))
    assert [text for text in found if finding in text], found


def test_an_image_without_its_source_is_found(script, series):
    with pytest.raises(LookupError, match="refers to none"):
        script["own_findings"](*edited(series, without_reference))


@pytest.mark.tools
def test_the_report_has_an_exit_code_and_no_value_of_the_patient(series, require_tool):
    require_tool("dciodvfy")

    def report():
        command = [sys.executable, str(SCRIPT), *map(str, series)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    sound = report()
    assert sound.returncode == 0, sound.stdout + sound.stderr
    edited(series, assign(PixelSpacing=[0.9, 0.6]))
    broken = report()
    assert broken.returncode == 1
    assert "FAIL what these overlook" in broken.stdout
    assert "Doe" not in broken.stdout + broken.stderr
