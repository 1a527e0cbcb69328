import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monai_sr.errors import InputError
from monai_sr.io import check_output, read_series, read_volume, write_volume
from monai_sr.volume import Source, Volume


def test_missing_path_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_volume(tmp_path / "nothing")
    with pytest.raises(InputError, match="not a folder"):
        next(read_series(tmp_path / "nothing"))


def test_file_of_another_format_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(InputError, match="not DICOM, NIfTI, MetaImage, NRRD, PNG, TIFF or JPEG"):
        read_volume(tmp_path / "notes.txt")


def test_series_of_a_file_is_refused(make_series):
    with pytest.raises(InputError, match="leave series out"):
        read_volume(make_series() / "5-90", series="1.2.3")


def test_output_can_be_checked_before_any_work(make_series, tmp_path):
    folder = make_series()
    volume = read_volume(folder)
    check_output(volume, tmp_path / "out")
    with pytest.raises(InputError, match="lies in the input"):
        check_output(volume, folder)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "00001.dcm").touch()
    with pytest.raises(InputError, match="not empty"):
        check_output(volume, str(tmp_path / "out"))
    check_output(volume, tmp_path / "out", overwrite=True)


def test_overwriting_spares_files_of_one_s_own(make_series, repeated, provenance, tmp_path):
    volume, output = read_volume(make_series()), tmp_path / "out"
    write_volume(repeated(volume), output, provenance())
    write_volume(repeated(volume), output, provenance(), overwrite=True)
    (output / "diagnosis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"diagnosis\.txt"):
        write_volume(repeated(volume), output, provenance(), overwrite=True)
    assert (output / "diagnosis.txt").read_text() == "mine"


def test_volume_of_unknown_source_is_refused(provenance, tmp_path):
    volume = Volume(np.zeros((1, 2, 2)), np.eye(4), np.ones(1), np.zeros(1), (0, 1), Source(), Path("in"))
    with pytest.raises(ValueError, match="read_volume returned"):
        write_volume(volume, tmp_path / "out.nii", provenance())


def test_reading_never_imports_torch():
    script = "import sys, monai_sr.io; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
