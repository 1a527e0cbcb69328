import dataclasses
import errno
import subprocess
import sys

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io import DicomOutput, dicom_writer, read_volume, write_volume

PADDED = np.full((2, 6, 6), 100, np.int16)
PADDED[:, :2] = -2000


def written(folder):
    return [dcmread(file) for file in sorted(folder.iterdir())]


@pytest.mark.parametrize("modality", ["MR", "CT"])
@pytest.mark.parametrize("scale_factor", [1, 2, 3])
def test_what_is_written_is_read_back(make_series, repeated, provenance, tmp_path, modality, scale_factor):
    volume = repeated(read_volume(make_series(modality=modality)), scale_factor)
    write_volume(volume, tmp_path / "out", provenance(scale_factor))
    again = read_volume(tmp_path / "out")
    np.testing.assert_array_equal(again.array, volume.array)
    assert again.array.dtype == volume.array.dtype
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)
    np.testing.assert_array_equal(again.slope, volume.slope)
    np.testing.assert_array_equal(again.intercept, volume.intercept)
    assert again.stored_range == volume.stored_range


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_every_type_keeps_its_encoding(make_series, repeated, provenance, tmp_path, dtype):
    limits = np.iinfo(dtype)
    frames = np.random.default_rng(1).integers(limits.min, limits.max, (2, 5, 7), dtype, endpoint=True)
    volume = repeated(read_volume(make_series(frames)), 1)
    write_volume(volume, tmp_path / "out", provenance(1))
    np.testing.assert_array_equal(read_volume(tmp_path / "out").array, frames)
    for image in written(tmp_path / "out"):
        assert image.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert len(image.PixelData) % 2 == 0


def test_padding_survives(make_series, repeated, provenance, tmp_path):
    def edit(image, index):
        image.PixelPaddingValue = -2000

    volume = repeated(read_volume(make_series(PADDED, edit=edit)))
    write_volume(volume, tmp_path / "out", provenance())
    again = read_volume(tmp_path / "out")
    assert again.padding == volume.padding == (-2000, -2000)


def test_second_run_writes_the_same_bytes(make_series, repeated, provenance, tmp_path):
    volume = repeated(read_volume(make_series()))
    for name in ("one", "two"):
        write_volume(volume, tmp_path / name, provenance())
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [file.name for file in one] == ["00001.dcm", "00002.dcm", "00003.dcm"]
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_one_image_may_be_one_file(make_series, repeated, provenance, tmp_path):
    folder = make_series()
    volume = repeated(read_volume(folder / "5-90"))
    write_volume(volume, tmp_path / "finer.dcm", provenance())
    np.testing.assert_array_equal(read_volume(tmp_path / "finer.dcm").array, volume.array)
    with pytest.raises(InputError, match="3 images"):
        write_volume(repeated(read_volume(folder)), tmp_path / "all.dcm", provenance())


@pytest.mark.parametrize("name", ["out.nii.gz", "out.png"])
def test_dicom_stays_dicom(make_series, repeated, provenance, tmp_path, name):
    with pytest.raises(InputError, match="DICOM stays DICOM"):
        write_volume(repeated(read_volume(make_series())), tmp_path / name, provenance())


def test_values_outside_bits_stored_are_refused(make_series, repeated, provenance, tmp_path):
    volume = repeated(read_volume(make_series()))
    volume.array[0, 0, 0] = 4550
    with pytest.raises(ValueError, match="stored_range"):
        write_volume(volume, tmp_path / "out", provenance())
    assert not (tmp_path / "out").exists()


def test_volume_of_another_grid_is_refused(make_series, repeated, provenance, tmp_path):
    with pytest.raises(ValueError, match="scale_factor 4"):
        write_volume(repeated(read_volume(make_series())), tmp_path / "out", provenance(4))


def test_image_larger_than_dicom_describes_is_refused(make_series, provenance, tmp_path):
    volume = read_volume(make_series(np.zeros((1, 1, 20000), np.uint16)))
    finer = dataclasses.replace(volume, array=np.zeros((1, 4, 80000), np.uint16))
    with pytest.raises(InputError, match="65535"):
        write_volume(finer, tmp_path / "out", provenance(4))


def fill_disk(monkeypatch):
    def write(file, *args, **kwargs):
        if file.name == "00002.dcm":
            raise OSError(errno.ENOSPC, "No space left on device")
        file.write_bytes(b"half")

    monkeypatch.setattr(dicom_writer, "dcmwrite", write)


def test_full_disk_leaves_nothing(make_series, repeated, provenance, tmp_path, monkeypatch):
    volume = repeated(read_volume(make_series()))
    fill_disk(monkeypatch)
    with pytest.raises(MonaiSRError, match="No space left"):
        write_volume(volume, tmp_path / "out", provenance())
    assert [entry.name for entry in tmp_path.iterdir()] == ["source"]


def test_full_disk_leaves_the_earlier_output(make_series, repeated, provenance, tmp_path, monkeypatch):
    volume = repeated(read_volume(make_series()))
    write_volume(volume, tmp_path / "out", provenance())
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    fill_disk(monkeypatch)
    with pytest.raises(MonaiSRError, match="nothing"):
        write_volume(volume, tmp_path / "out", provenance(), overwrite=True)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    assert len(list(tmp_path.iterdir())) == 2


def test_limit_of_file_size_is_met_for_real(make_series, tmp_path):
    source = make_series(np.zeros((2, 128, 128), np.uint16))
    script = f"""
import resource, signal
import numpy as np
from dataclasses import replace
from monai_sr.errors import MonaiSRError
from monai_sr.io import read_volume, write_volume
from monai_sr.volume import Provenance
volume = read_volume({str(source)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    finer = replace(volume, array=volume.array.repeat(2, 1).repeat(2, 2))
    write_volume(finer, {str(tmp_path / "out")!r}, Provenance(2, "b", "1", "ab", "1"))
except MonaiSRError as error:
    raise SystemExit(41)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 41
    assert [entry.name for entry in tmp_path.iterdir()] == ["source"]


def test_big_endian_source_is_written_as_little_endian(data_dir, repeated, provenance, tmp_path):
    volume = repeated(read_volume(data_dir / "dicom" / "mr_big_endian.dcm"))
    write_volume(volume, tmp_path / "out", provenance())
    np.testing.assert_array_equal(read_volume(tmp_path / "out").array, volume.array)


@pytest.mark.parametrize(("name", "syntax"), [("jpegls", JPEGLSLossless), ("rle", RLELossless)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_lossless_transfer_syntaxes_keep_every_value(
    make_series, repeated, provenance, tmp_path, name, syntax, dtype
):
    limits = np.iinfo(dtype)
    frames = np.random.default_rng(1).integers(limits.min, limits.max, (2, 16, 18), dtype, endpoint=True)
    volume = repeated(read_volume(make_series(frames)))
    for folder in ("one", "two"):
        write_volume(volume, tmp_path / folder, provenance(), dicom=DicomOutput(name))
    again = read_volume(tmp_path / "one")
    np.testing.assert_array_equal(again.array, volume.array)
    assert {image.file_meta.TransferSyntaxUID for image in written(tmp_path / "one")} == {syntax}
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    with pytest.raises(InputError, match="no transfer syntax jpeg;"):
        DicomOutput("jpeg")
