"""Memory does not grow with the number of images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from monai_sr.sample import sample_series_dir

CHILD = """
import re, sys
from pathlib import Path
from torch import nn
from monai_sr import Upscaler
from monai_sr.batch import plan, run_job

class Nearest(nn.Module):
    scale_factor = 2
    def forward(self, x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

(job,) = plan(Path(sys.argv[1]), Path(sys.argv[2]))
assert run_job(Upscaler(Nearest()), job).frames == int(sys.argv[3])
# Not getrusage, whose peak is at least that of the process which began this one.
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.fixture
def peak(tmp_path):
    """Function from a number of images, each with the header of the sample's, to the peak memory."""

    def measure(count):
        source = tmp_path / f"source_{count}"
        source.mkdir()
        image = dcmread(sorted(sample_series_dir().iterdir())[0])
        first, position = image.SOPInstanceUID, list(image.ImagePositionPatient)
        for index in range(count):
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{first}.{index}"
            image.InstanceNumber = index + 1
            image.ImagePositionPatient = [*position[:2], f"{index * 1.5:.1f}"]
            image.save_as(source / f"{index:04d}.dcm")
        command = [sys.executable, "-c", CHILD, source, tmp_path / f"out_{count}", str(count)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return measure


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures by /proc")
def test_a_thousand_images_take_little_more_than_a_hundred(peak):
    assert peak(1000) <= 1.2 * peak(100)
