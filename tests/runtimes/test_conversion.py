from __future__ import annotations

import logging

import pytest
import torch

from monai_sr.errors import MonaiSRError
from monai_sr.networks import EDSR
from monai_sr.runtimes.conversion import to_onnx, to_openvino

CONVERSIONS = {"ONNX": (to_onnx, "model.onnx"), "OpenVINO": (to_openvino, "model.xml")}


class Unknown(torch.nn.Module):
    """What neither converter can write."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvals(image[:, :, :2, :2]).real


@pytest.mark.slow
@pytest.mark.parametrize("to", CONVERSIONS)
@pytest.mark.parametrize("network", [EDSR(2, channels=4, num_blocks=1), Unknown()])
def test_what_is_said_after_a_conversion_is_heard(tmp_path, to, network):
    convert, name = CONVERSIONS[to]
    before = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    try:
        if isinstance(network, Unknown):
            with pytest.raises(MonaiSRError, match=f"cannot be converted to {to}"):
                convert(network, tmp_path / name)
        else:
            convert(network, tmp_path / name)
            assert (tmp_path / name).stat().st_size > 0
        assert logging.getLogger().level == logging.INFO
        assert logging.getLogger("monai_sr").isEnabledFor(logging.INFO)
    finally:
        logging.getLogger().setLevel(before)
