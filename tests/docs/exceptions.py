"""What the commands of the pages are changed to for a test, and those that are run elsewhere or nowhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Elsewhere:
    """Commands that no work folder can run.

    Args:
        why: the reason.
        where: the file, or file::test, that runs them; None if none can.
        commands: as the pages have them, on one line; a last `*` stands for any rest.
    """

    why: str
    where: str | None
    commands: tuple[str, ...]


ELSEWHERE = (
    Elsewhere(
        "installs into .venv; run on a clean machine",
        ".ci/run",
        ("make demo", "make test", "make docs"),
    ),
    Elsewhere(
        "installs; the tests open the wheel, and `make` installs with the same constraints",
        "tests/test_package.py::test_the_wheel_carries_what_the_package_reads",
        ("pip install -c constraints.txt .",),
    ),
    Elsewhere(
        "builds the pages, notebooks included, as `make docs` does",
        ".ci/run",
        ("python -m sphinx -W --keep-going -E -a docs docs/_build/html",),
    ),
    Elsewhere(
        "needs a cluster; a test starts one",
        "tests/batch/test_ray_engine.py::test_a_lost_node_loses_nothing_and_doubles_nothing",
        (
            "ray start --head",
            "ray start --address HEAD:6379",
            "monai-sr upscale /data/archive finer --recursive --engine ray --address HEAD:6379",
        ),
    ),
    Elsewhere(
        "needs Slurm, which no test has; the page says that it was not run",
        None,
        (
            'head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            'srun --nodes=1 --ntasks=1 -w "$head" ray start *',
            'srun --nodes=3 --ntasks=3 --exclude="$head" ray start *',
            "sleep 20",
            "monai-sr upscale /data/archive /data/finer --recursive --resume --engine ray "
            '--address "$head:6379" --runtime openvino --precision float32',
        ),
    ),
    Elsewhere(
        "needs two machines; a test trains with two processes of one",
        "tests/bundles/test_training.py::test_two_processes_see_different_data",
        ("torchrun --nnodes=2 *",),
    ),
    Elsewhere(
        "needs validators that not every machine has",
        "tests/io/test_conformance.py::test_the_report_has_an_exit_code_and_no_value_of_the_patient",
        ("python scripts/conformance.py SOURCE DERIVED",),
    ),
    Elsewhere(
        "needs a PACS; tests start one",
        "tests/integrations/pacs/test_transfer.py::test_every_way_gives_the_same",
        (
            "monai-sr upscale dicomweb://localhost:8042/dicom-web/studies/*",
            "monai-sr upscale series/ dicomweb://localhost:8042/dicom-web",
            "monai-sr pacs watch *",
        ),
    ),
    Elsewhere(
        "installs an extra; `make` installs all of them with the same constraints",
        ".ci/run",
        ("pip install -c constraints.txt '.[app]'",),
    ),
    Elsewhere(
        "serves until it is stopped; a test starts it and looks at the page",
        "tests/integrations/web/test_page.py::test_a_png_is_dropped_and_comes_back_as_the_command_makes_it",
        ("monai-sr app",),
    ),
    Elsewhere(
        "needs readers; a test answers for them",
        "tests/cli/test_study.py::test_a_study_from_folders_to_tables",
        ("monai-sr study export my_study answers_1.json answers_2.json *",),
    ),
    Elsewhere(
        "needs MONAI Label's environment, which .ci/run sets up for the tests",
        "tests/integrations/monailabel/test_tutorial.py::test_every_request_of_the_tutorial_is_answered",
        (
            "scripts/setup_monailabel.sh .venv-monailabel",
            "source .venv-monailabel/bin/activate",
            "monailabel start_server *",
            "curl -f *",
        ),
    ),
    Elsewhere(
        "trained the released weights for hours",
        "tests/scripts/test_train_released_weights.py::test_every_released_weight_has_its_settings",
        ("python scripts/train_released_weights.py *",),
    ),
    Elsewhere(
        "takes many minutes and a user's images",
        "tests/scripts/test_train_intervals.py::test_a_head_is_trained_calibrated_and_measured",
        ("python -m scripts.train_intervals *", "python -m scripts.benchmarks.coverage *"),
    ),
    Elsewhere(
        "writes the bundles of the clone anew; it is run with --check",
        ".ci/run",
        ("python scripts/build_bundles.py",),
    ),
)

SUBSTITUTED = (
    # A pattern, what it becomes, and why.
    (r"/data/", "data/", "the work folder has stand-ins for a user's images, below data/"),
    (r"--max_epochs 100\b", "--max_epochs 1", "an epoch runs the same code as a hundred"),
    (
        r"(-m monai\.bundle run training .*)",
        r"\1 --iterations_per_epoch 1 --patch_size 8 --volumes_per_batch 2 --crops_per_volume 1 "
        "--slices_per_volume 1",
        "smaller and fewer images, through the same network",
    ),
    (r" /input /output ", " data/archive output ", "a container has its folders at the root"),
    (r"^torchrun ", "torchrun --standalone ", "a port that nobody else has"),
)
