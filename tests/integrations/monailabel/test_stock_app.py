"""A bundle as it is released, in the app that MONAI Label brings for bundles."""

import shutil

import pytest

from tests.integrations.monailabel.images import read, write_nifti
from tests.integrations.monailabel.serving import ROOT, environment, running_server

pytestmark = pytest.mark.slow


def test_the_bundle_app_gives_the_enlarged_image(tmp_path):
    app = tmp_path / "app"
    shutil.copytree(environment() / "monailabel" / "sample-apps" / "monaibundle", app)
    shutil.copytree(ROOT / "bundles" / "edsr_mri", app / "model" / "edsr_mri")
    source = write_nifti(tmp_path / "image.nii.gz")
    conf = {"models": "edsr_mri", "zoo_source": "local"}
    with running_server(tmp_path / "server", app, tmp_path / "studies", **conf) as server:
        params = {"result_extension": ".nrrd", "result_dtype": "uint8"}
        result = server.infer("edsr_mri", tmp_path / "r.nrrd", file=source, params=params)
    fine, coarse = read(result), read(source)
    assert fine.GetSize() == (2 * coarse.GetSize()[0], 2 * coarse.GetSize()[1], coarse.GetSize()[2])
    assert "float" in fine.GetPixelIDTypeAsString()
