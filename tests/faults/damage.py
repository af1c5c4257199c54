"""Damage does not go unnoticed. `python tests/faults/damage.py [--each 1000] [--suite smoke] [--seed 1]`

Predicted, of every file that a run leaves but for its logs and Snakemake's benchmarks, which nothing reads: a truncation at a random length, or one bit
that is flipped anywhere, is noticed by `scorebench verify` and by the next run (both ask `store.damage.damaged`), in a line that names the file; whoever reads
the file next (`scorebench.load`, a figure, the page, a stage) refuses it, or reads the very same content (a bit of a time stamp in a zip). And a run of the
command puts it right: the same bytes as before. Pickles are nowhere.
"""

import argparse
import random
import re
from collections import Counter
from pathlib import Path

from rig import Rig, ended, judged, rig

import scorebench
from scorebench.core import sealed
from scorebench.core.errors import InputError
from scorebench.core.schema import TABLES
from scorebench.store import artifacts
from scorebench.store.damage import damaged
from scorebench.store.results import Results
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

UNREAD = ("logs", "benchmarks")
DIGESTS = {"timings/*.json", "given.json"}
"""Kinds that hold the digests of others: where one is damaged those others cannot be told to be, and are made again with it."""


def kind(path: Path) -> str:
    """By folder and ending, each of the files at the top by its name."""
    return (
        path.name
        if len(path.parts) == 1
        else f"{path.parts[0]}/*{''.join(path.suffixes[-2:]) if path.name.endswith('.gz') else path.suffix}"
    )


def read(out: Path, path: Path) -> object:
    """As what reads it next does."""
    file = out / path
    if path.suffix == ".npz":
        arrays, meta = artifacts.read_arrays(file)
        return {name: array.tobytes() for name, array in arrays.items()}, meta
    if path.suffix == ".gz":
        return artifacts.read_gzip(file)
    if path.suffix == ".json":
        return sealed.read(file)
    if path.name == "suite.yaml":
        return load(file)
    if path.name == "metrics.csv":
        return scorebench.load(out).to_csv()
    results = Results(out)
    if path.name == "timings.csv":
        return results.timings.to_csv()
    return results.table(path.stem).to_csv() if path.suffix == ".csv" and path.stem in TABLES else None


def kinds_of(out: Path) -> dict[str, list[Path]]:
    """What a run has left, but for what nothing reads."""
    kinds: dict[str, list[Path]] = {}
    for path in (path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()):
        if path.parts[0] not in UNREAD:
            kinds.setdefault(kind(path), []).append(path)
    return kinds


def damages(out: Path, plan: Plan, each: int, chance: random.Random) -> bool:
    """Of every kind as many; both kinds of damage."""
    kinds = kinds_of(out)
    assert damaged(plan, out) == [], damaged(plan, out)
    counts: Counter[str] = Counter({"kinds of files": len(kinds)})
    for number in range(2 * each):
        path = chance.choice(kinds[sorted(kinds)[number // 2 % len(kinds)]])
        content, before = (out / path).read_bytes(), read(out, path)
        changed = bytearray(content)
        if number % 2:
            counts["truncations"] += 1
            del changed[chance.randrange(len(content)) :]
        else:
            counts["flips"] += 1
            changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (out / path).write_bytes(changed)
        counts["unnoticed by verify and the next run"] += path.as_posix() not in damaged(plan, out)
        try:
            after = read(out, path)
            if before is not None:
                counts["read as they were" if after == before else "read as another"] += 1
            else:
                counts["of files that only people read"] += 1
        except InputError as error:
            counts["refused by who reads next"] += 1
            counts["not named"] += path.name not in str(error)
        (out / path).write_bytes(content)
    assert damaged(plan, out) == []
    return judged("damage", counts, ("unnoticed by verify and the next run", "read as another", "not named"))


def healed(run: Rig, broken: list[Path]) -> bool:
    """Several at once: verify tells each and fails, the next run makes them again."""
    before, counts = run.digests(), Counter({"files": len(broken)})
    for path in broken:
        content = (run.out / path).read_bytes()
        (run.out / path).write_bytes(content[: len(content) // 2])
    done = run.command("verify", f"results/{run.suite}")
    counts["verify fails"] = done.returncode != 0 and "Traceback" not in done.stderr
    _, dry = run.run("--dry-run")
    counts["removed by a dry run"] = sum(not (run.out / path).exists() for path in broken)
    code, said = run.run()
    counts["not told by the run"] = sum(f"{path.as_posix()} is damaged or edited: it is made again" not in said for path in broken)
    counts["not made again"] = sum(run.digests().get(name) != digest for name, digest in before.items())
    counts["damaged after it"] = len(damaged(Plan(load(run.out / "suite.yaml")), run.out))
    counts["failures"] = code != 0
    ways = re.compile(
        r"import (c?pickle|joblib|dill|shelve)|allow_pickle=True|torch\.save\(|torch\.load\((?!.*weights_only=True)|(to|read)_pickle|weights_only=False"
    )
    counts["pickles"] = sum(len(ways.findall(path.read_text())) for path in (run.folder / "scorebench").rglob("*.py"))
    wrong = ("removed by a dry run", "not told by the run", "not made again", "damaged after it", "failures", "pickles")
    return judged("healing", counts, wrong) and bool(counts["verify fails"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=1000)
    parser.add_argument("--suite", default="smoke")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with rig(given.suite) as copy:
        code, said = copy.run()
        assert code == 0, said
        chance = random.Random(given.seed)
        good = [damages(copy.out, Plan(load(copy.out / "suite.yaml")), given.each, chance)]
        kinds = kinds_of(copy.out)
        for group in (sorted(kinds.keys() - DIGESTS), sorted(DIGESTS)):
            good.append(healed(copy, [chance.choice(kinds[name]) for name in group]))
    ended(good)
