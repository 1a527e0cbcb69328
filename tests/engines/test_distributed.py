from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

WORKER = """
import os
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from monai_sr.engines import AdversarialTrainer, GeneratorEMA, TrainingCheckpoint
from monai_sr.losses import AdversarialLoss, DiscriminatorLoss, GeneratorLoss, GradientPenalty
from monai_sr.networks import SRResNet, SRGANDiscriminator

folder, norm, penalty = sys.argv[1], sys.argv[2], sys.argv[3] == "penalty"
torch.set_num_threads(1)
dist.init_process_group(
    "gloo",
    init_method=f"file://{folder}/rendezvous",
    rank=int(os.environ["RANK"]),
    world_size=2,
    timeout=timedelta(seconds=60),
)
torch.manual_seed(dist.get_rank())
generator = DistributedDataParallel(SRResNet(2, channels=4, num_blocks=1))
discriminator = DistributedDataParallel(SRGANDiscriminator(channels=2, norm=norm))
ema = GeneratorEMA(generator, 0.5)
pairs = [{"image": torch.rand(1, 8, 8), "label": torch.rand(1, 16, 16)} for _ in range(4)]
trainer = AdversarialTrainer(
    device="cpu",
    max_epochs=2,
    train_data_loader=DataLoader(pairs, batch_size=2),
    generator=generator,
    g_optimizer=torch.optim.Adam(generator.parameters(), 1e-2),
    g_loss=GeneratorLoss({"pixel": [1.0, nn.L1Loss()], "adversarial": [0.1, AdversarialLoss()]}),
    discriminator=discriminator,
    d_optimizer=torch.optim.Adam(discriminator.parameters(), 1e-2),
    d_loss=DiscriminatorLoss(),
    gradient_penalty=GradientPenalty() if penalty else None,
    d_steps=2,
    ema=ema,
)
objects = {"generator": generator, "discriminator": discriminator, "ema": ema}
TrainingCheckpoint(folder, trainer, None, objects, ema).attach()
before = discriminator.module.logit.weight.detach().clone()
trainer.run()
assert not torch.equal(before, discriminator.module.logit.weight)
weights = {name: dict(network.named_parameters()) for name, network in objects.items()}
torch.save(weights, f"{folder}/rank{dist.get_rank()}.pt")
dist.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "penalty"), [("batch", ""), ("none", "penalty")])
def test_two_processes_with_data_of_their_own_keep_the_same_weights(tmp_path, norm, penalty):
    (tmp_path / "worker.py").write_text(WORKER)
    workers = [
        subprocess.Popen(
            [sys.executable, tmp_path / "worker.py", tmp_path, norm, penalty],
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2", "PYTHONPATH": os.getcwd()},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    for name, weights in first.items():
        for key, value in weights.items():
            assert torch.equal(value, second[name][key]), (name, key)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)["objects"]
    assert not any(key.startswith("module.") for key in saved["generator"])
