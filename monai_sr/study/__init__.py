"""Reader studies: blinded pages to compare images by eye, their answers, and how many cases are needed."""

from monai_sr.study.analysis import Estimate, Summary, summarise
from monai_sr.study.answers import Answer, read_answers
from monai_sr.study.build import build_study
from monai_sr.study.conditions import Condition, parse_condition
from monai_sr.study.design import Design
from monai_sr.study.key import Key, read_key
from monai_sr.study.power import Plan, plan_cases, power_of
from monai_sr.study.scores import join_scores, modalities, read_truth, write_imrmc, write_scores, write_trials

__all__ = [
    "Answer",
    "Condition",
    "Design",
    "Estimate",
    "Key",
    "Plan",
    "Summary",
    "build_study",
    "join_scores",
    "modalities",
    "parse_condition",
    "plan_cases",
    "power_of",
    "read_answers",
    "read_key",
    "read_truth",
    "summarise",
    "write_imrmc",
    "write_scores",
    "write_trials",
]
