from __future__ import annotations

import pytest
import torch

from monai_sr.engines import AutocastInferer, fastest_dtype


@pytest.mark.parametrize(
    ("amx", "avx512", "expected"),
    [(True, False, "bfloat16"), (False, True, "bfloat16"), (False, False, "float32")],
)
def test_bfloat16_is_chosen_only_where_the_processor_has_it(monkeypatch, amx, avx512, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    assert fastest_dtype("cpu") == expected
    AutocastInferer(fastest_dtype(torch.device("cpu")))
