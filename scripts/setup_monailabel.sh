#!/usr/bin/env bash
# An environment of its own for the MONAI Label app: scripts/setup_monailabel.sh ENV_FOLDER [pip's arguments ...]
# On Linux add --extra-index-url https://download.pytorch.org/whl/cpu where pip would take PyTorch with CUDA in vain.
set -euo pipefail
if [ $# -lt 1 ]; then
    echo "Usage: $0 ENV_FOLDER [pip's arguments ...]" >&2
    exit 2
fi
repository="$(cd "$(dirname "$0")/.." && pwd)"
app="$repository/monai_sr/integrations/monailabel"
environment="$1"
shift

"${PYTHON:-python3}" -m venv "$environment"
pip=("$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$@")
"${pip[@]}" --constraint "$repository/constraints.txt" --requirement "$app/requirements.txt" "$repository"
"${pip[@]}" --no-deps monailabel==0.8.5

# MONAI Label imports both when it starts, for tasks that this app has not, and neither works beside the rest.
packages="$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
: > "$packages/pydicom_seg.py"
mkdir -p "$packages/torchvision"
: > "$packages/torchvision/__init__.py"
echo 'make_grid = save_image = None' > "$packages/torchvision/utils.py"

echo "Start it: source $environment/bin/activate"
echo "          monailabel start_server --app $app --studies FOLDER_OR_DICOMWEB_URL --host 127.0.0.1 --port 8000"
