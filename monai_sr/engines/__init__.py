"""Engines: adversarial training and what MONAI's trainers lack around it."""

from monai_sr.engines.adversarial_trainer import AdversarialTrainer
from monai_sr.engines.autocast_inferer import AutocastInferer
from monai_sr.engines.ema import GeneratorEMA

__all__ = ["AdversarialTrainer", "AutocastInferer", "GeneratorEMA"]
