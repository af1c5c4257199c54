"""What the README says of bringing one's own, done as it says: every command, with fewer steps."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forked_python import python

from scorebench.core import plugins
from scorebench.suite.reading import load

ROOT = Path(__file__).parents[1]
LESS = {
    "compare samplers": "--steps 20 --chains 16 --seeds 2",
    "compare losses": "--steps 20 --size 200 --seeds 2 --rate 0.01",
    "reference": "--chains 256",
}
"""What is added to a command, so that the tests end; more chains make as many draws in fewer steps."""


def section() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text[text.index("## Bring your own") : text.index("## On a cluster")]


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(.*?)\n(.*?)^```$", section(), re.S | re.M)
    return [text for its, text in fenced if its == language]


COMMANDS = [line.partition(" # ")[0].strip() for block in blocks("") for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's folder: the README's three Python files, a table and draws."""
    folder = tmp_path_factory.mktemp("own")
    loss, density, network = blocks("python")
    (folder / "huber_denoising.py").write_text(loss, encoding="utf-8")
    (folder / "my_density.py").write_text(density, encoding="utf-8")
    (folder / "my_score.py").write_text(network, encoding="utf-8")
    g = np.random.Generator(np.random.PCG64(1))
    pd.DataFrame(g.standard_normal((60, 3)), columns=list("abc")).to_csv(folder / "my_data.csv", index=False)
    np.save(folder / "draws.npy", g.standard_normal((200, 2)))
    return folder


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "scorebench"
    more = next((shlex.split(less) for start, less in LESS.items() if command.startswith(f"scorebench {start}")), [])
    return subprocess.run([python(), "-m", *words, *more], cwd=folder, capture_output=True, text=True, encoding="utf-8")


def test_every_command_is_run(folder: Path) -> None:
    """In the README's order, one after the other. What each should print stands here by its first word."""
    wanted = {"new": "my_sampler.py", "check": "ok ", "compare": "A mean across seeds", "reference": "Say reference =", "score": "KSD"}
    assert {command.split()[1] for command in COMMANDS} == set(wanted)
    for command in COMMANDS:
        done = run(folder, command)
        assert done.returncode == 0 and wanted[command.split()[1]] in done.stdout, (command, done.stdout[-500:], done.stderr[-500:])
        assert "FAILED" not in done.stdout, command


def test_the_files_of_the_readme_pass_and_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loss passes the checks; its suite loads with it; said in the density's file, the reference gives every metric a value."""
    done = run(folder, "scorebench check huber_denoising.py")
    assert done.returncode == 0, done.stdout
    (suite,) = blocks("yaml")
    (folder / "my.yaml").write_text(suite, encoding="utf-8")
    monkeypatch.setattr(plugins, "files", dict(plugins.files))  # what the suite brings stays here
    assert "huber_denoising:sigma=0.2" in load(folder / "my.yaml").experiments[0].sources["mlp_energy"]
    named = re.search(r"Say `(reference = .*?)` in", section())
    assert named is not None
    with (folder / "my_density.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{named[1]}\n")
    done = run(folder, "scorebench score draws.npy --target density:path=my_density.py")
    assert done.returncode == 0 and "not_applicable: there is no exact" not in done.stdout, done.stdout + done.stderr
