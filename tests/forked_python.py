"""A `python` that starts by a fork of a process which has the libraries imported, and none of the package's own modules: in a tenth of the time.

For tests that start many: `python()` is the path of a command that takes `-m MODULE` or `-c CODE`, with their arguments, and PYTHONPATH. What the interpreter
itself reads when it starts (PYTHONHASHSEED, PYTHONWARNINGS, the locale) is what `python` was called with, for all of them.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import NamedTuple, NoReturn

LIBRARIES = (
    "torch._dynamo",
    "pandera.pandas",
    "scipy.stats",
    "scipy.signal",
    "arviz_stats.base",
    "seaborn",
    "sklearn.linear_model",
    "pyarrow",
)
LIBRARIES += ("typer", "rich.console", "rich.progress", "rich.table", "jinja2", "yaml", "snakemake.api")
COMMAND = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
socket.send_fds(server, [b" "], [0, 1, 2])
environment = [text for pair in os.environb.items() for text in pair]
texts = [list(map(os.fsencode, sys.argv[1:])), environment, [os.getcwdb()]]
server.sendall(json.dumps([[text.decode("latin1") for text in part] for part in texts]).encode() + b"\\n")
code = int(server.makefile().readline() or 1)
sys.exit(code if code >= 0 else 128 - code)
"""


@cache
def python(**environment: str) -> str:
    """The command, of a server with this environment beside this process's own; it lives as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="python"))
    command, path = folder / "python", str(folder / "socket")
    command.write_text(COMMAND.format(python=sys.executable, path=path))
    command.chmod(0o755)
    whole = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"} | environment
    server = subprocess.Popen([sys.executable, "-P", __file__, path], env=whole, stdout=subprocess.PIPE, text=True)
    atexit.register(server.kill)
    assert server.stdout is not None and server.stdout.readline() == "ready\n"
    return str(command)


class Start(NamedTuple):
    """What a process is started with."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    command: str


def serve(path: str) -> Start:
    """Serve until the parent is gone; returns in each process that is started, and there alone."""
    parent = os.getppid()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    listener.settimeout(2)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _started(connection, os.path.join(os.path.dirname(path), "python"))
        connection.close()
    sys.exit()


def _started(connection: socket.socket, command: str) -> Start:
    connection.settimeout(None)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    texts = ([os.fsdecode(text.encode("latin1")) for text in part] for part in json.loads(connection.makefile().readline()))
    arguments, environment, (folder,) = texts
    start = Start(arguments, dict(zip(environment[::2], environment[1::2], strict=True)), folder, command)
    child = os.fork()
    if child == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return start
    connection.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n".encode())
    os._exit(0)


def run(start: Start) -> NoReturn:
    """As `python` does."""
    os.chdir(start.folder)
    os.environ.clear()
    os.environ.update(start.environment)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.executable = start.command
    own = [] if start.environment.get("PYTHONSAFEPATH") else [start.folder]
    sys.path[:0] = own + [path for path in start.environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    flag, what, *arguments = start.arguments
    sys.argv = [flag, *arguments]
    code = 0
    try:
        if flag == "-c":
            exec(what, {"__name__": "__main__"})
        else:
            assert flag == "-m", f"this is not all of python: {flag}"
            runpy.run_module(what, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # to take apart what is shared with the server would copy it first


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    imported = [name for name in sys.modules if "scorebench" in name]
    assert not imported, imported
    gc.freeze()
    run(serve(sys.argv[1]))
