"""Commands in processes that are forked from one which has imported all that they need.

On the small sample a command computes for a second and imports for ten. Run as a script this file is both
sides: `warm.py SOCKET` serves, and `warm.py SOCKET MODULE [ARGUMENT...]` does as `python -m MODULE` would, or
with a file in place of the module as `python FILE` would, in the folder, the environment and with the streams
of its caller. It imports nothing of the tests.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

MODULES = (
    *("monai.bundle", "monai.engines", "monai.handlers", "monai.networks.utils", "ignite.contrib"),
    *(
        "monai_sr.api",
        "monai_sr.batch",
        "monai_sr.cli",
        "monai_sr.data",
        "monai_sr.engines",
        "monai_sr.export",
    ),
    *("monai_sr.transforms", "fire", "nibabel", "SimpleITK", "torch.utils.tensorboard", "torch._dynamo"),
)
LONGEST_REQUEST = 2**20


def serve(address: str) -> None:
    """Fork for each caller; a thread here would be missing in the forks, so nothing is computed."""
    import importlib

    for name in MODULES:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            connection, _ = server.accept()
            with connection:
                if os.fork() == 0:
                    server.close()
                    _become(connection)


def _become(connection: socket.socket) -> None:
    """Run what a caller asks for, tell it the exit code, and end."""
    import atexit
    import runpy
    import traceback

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, streams, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 3)
    request = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    module, *sys.argv[1:] = request["arguments"]
    code = 1
    try:
        if module.endswith(".py"):
            runpy.run_path(module, run_name="__main__")
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code]))
        os._exit(code)


def ask(address: str, arguments: list[str]) -> int:
    """Exit code of what the server ran for this process."""
    request = {"folder": os.getcwd(), "environment": dict(os.environ), "arguments": arguments}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
        return (connection.recv(1) or b"\xff")[0]


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
