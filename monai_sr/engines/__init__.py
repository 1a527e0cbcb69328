"""Engines: adversarial training and what MONAI's trainers lack around it."""

from monai_sr.engines.adversarial_trainer import AdversarialTrainer
from monai_sr.engines.autocast_inferer import AutocastInferer
from monai_sr.engines.checkpoint import TrainingCheckpoint, run_stage
from monai_sr.engines.collapse_alarm import CollapseAlarm
from monai_sr.engines.ema import GeneratorEMA
from monai_sr.engines.epoch_csv_logger import EpochCSVLogger, loss_terms
from monai_sr.engines.hardware import fastest_dtype, start_distributed
from monai_sr.engines.weights import WarmStart, prepare_network

__all__ = [
    "AdversarialTrainer",
    "AutocastInferer",
    "CollapseAlarm",
    "EpochCSVLogger",
    "GeneratorEMA",
    "TrainingCheckpoint",
    "WarmStart",
    "fastest_dtype",
    "loss_terms",
    "prepare_network",
    "run_stage",
    "start_distributed",
]
