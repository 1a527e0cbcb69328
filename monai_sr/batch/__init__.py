"""From files to files: `plan` with `run_job` or `run_through_plane`, and an archive by `run_archive`."""

from __future__ import annotations

from monai_sr.batch.archive import run_archive
from monai_sr.batch.jobs import Job, Written, plan, run_job
from monai_sr.batch.report import Outcome, Status
from monai_sr.batch.slices import run_through_plane

__all__ = ["Job", "Outcome", "Status", "Written", "plan", "run_archive", "run_job", "run_through_plane"]
