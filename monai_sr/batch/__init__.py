"""From files to files: a single source by `plan` and `run_job`, a whole archive by `run_archive`."""

from __future__ import annotations

from monai_sr.batch.archive import run_archive
from monai_sr.batch.jobs import Job, Written, plan, run_job
from monai_sr.batch.report import Outcome, Status

__all__ = ["Job", "Outcome", "Status", "Written", "plan", "run_archive", "run_job"]
