"""Every fault script, one after the other, and what each said in its last line. `python tests/faults [NAME ...]`, which is `make faults`."""

import os
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py") if path.stem != "rig")


def main(names: list[str]) -> int:
    """1 if one of them fails."""
    if unknown := set(names) - set(NAMES):
        sys.exit(f"faults: {', '.join(sorted(unknown))}: there is no such script (known: {', '.join(NAMES)})")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}  # they import what lies beside them
    table = []
    for name in names or NAMES:
        started, lines = time.monotonic(), [""]
        with subprocess.Popen([sys.executable, FOLDER / f"{name}.py"], stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                lines.append(line.rstrip())
        table.append((name, process.returncode, time.monotonic() - started, lines[-1]))
    for name, code, seconds, line in table:
        print(f"{'FAILED' if code else 'ok':6} {name:13} {seconds / 60:5.1f} min  {line}")
    return int(any(code for _, code, _, _ in table))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
