"""Engines: adversarial training and what MONAI's trainers lack around it."""

from monai_sr.engines.adversarial_trainer import AdversarialTrainer
from monai_sr.engines.autocast_inferer import AutocastInferer
from monai_sr.engines.checkpoint import TrainingCheckpoint, run_stage
from monai_sr.engines.ema import GeneratorEMA
from monai_sr.engines.weights import WarmStart, load_weights, prepare_network

__all__ = [
    "AdversarialTrainer",
    "AutocastInferer",
    "GeneratorEMA",
    "TrainingCheckpoint",
    "WarmStart",
    "load_weights",
    "prepare_network",
    "run_stage",
]
