"""A small evaluation of an upscaler that is better than bicubic."""

from __future__ import annotations

import torch

from monai_sr.evaluate import bicubic, evaluate, read_datalist
from monai_sr.evaluate.baselines import BASELINES
from monai_sr.transforms import BicubicDownsample

SR = "sharpened"
METHODS = (*BASELINES, SR)
ABOUT = {"bundle": "edsr_mri 0.1.0", "weights_sha256": "ab" * 32}


class Sharpened:
    """Bicubic with some of its own detail added: better than bicubic, unlike a copy of it."""

    def __init__(self, amount=0.1):
        self.amount = amount

    def predict(self, frames):
        finer = bicubic(frames, 2)
        coarse = torch.nn.functional.avg_pool2d(torch.from_numpy(finer)[:, None], 3, 1, 1)[:, 0].numpy()
        return finer + self.amount * (finer - coarse)


def run(datalist, out_dir, upscaler=None, **options):
    return evaluate(
        {SR: upscaler or Sharpened()},
        read_datalist(datalist),
        degradation=BicubicDownsample(2),
        scale_factor=2,
        out_dir=out_dir,
        **options,
    )
