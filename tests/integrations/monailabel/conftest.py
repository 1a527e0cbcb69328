"""Images for a real MONAI Label server: in a folder that it serves, or for a PACS behind it."""

import shutil

import numpy as np
import pytest

from monai_sr.io.dicom import list_series
from monai_sr.sample import sample_series_dir
from tests.integrations.monailabel.images import PATIENT, SECRET, write_nifti, write_picture
from tests.integrations.monailabel.serving import APP, running_server


@pytest.fixture(scope="module")
def store(tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("around") / "store"
    shutil.copytree(source, folder / "series")
    write_nifti(folder / "volume.nii.gz")
    write_picture(folder / "picture.png")
    write_picture(folder / "gray.png", np.uint8)
    (folder.parent / "outside.txt").write_text(SECRET)
    write_nifti(folder.parent / "outside.nii.gz")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, store):
    conf = {"models": "swift_srgan_mri,edsr_mri", "train": "true", "max_upload": "0.001"}
    with running_server(tmp_path_factory.mktemp("server"), APP, store, **conf) as running:
        yield running
    log = running.log.read_text()
    assert "Traceback" not in log
    for word in ("volume", "picture", "outside", PATIENT):
        assert word not in log


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """Two images of the sample's series."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("0001.dcm", "0002.dcm"):
        shutil.copy(sample_series_dir() / name, folder)
    return folder


@pytest.fixture(scope="session")
def uid(source):
    return list_series(source)[0].series_uid
