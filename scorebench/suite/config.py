"""What a suite is: frozen objects, with what each key allows."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from scorebench.core.errors import unknown
from scorebench.core.options import Count, Positive


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    seen, repeated = set(), set()
    for value in values:
        key = value if isinstance(value, int | float | str) else repr(value)
        if key in seen:
            repeated.add(str(value))
        seen.add(key)
    if repeated:
        raise ValueError(f"{', '.join(sorted(repeated))} given twice")
    return values


def _plain(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        near = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:64]
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"is not allowed{hint} (allowed: up to 64 of a-z, 0-9, _ and -, of which a letter or digit is the first)")
    return name


def _device(name: str) -> str:
    if not re.fullmatch(r"(cpu|cuda|mps)(:[0-9]{1,3})?", name):
        raise ValueError(unknown("device", name, ("cpu", "cuda", "mps")).partition(" is ")[2] + ", or one by its number, as cuda:1")
    return name


def _free(name: str) -> str:
    if name == "reference":
        raise ValueError("results/reference holds what runs are compared with")
    return name


def _rises(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("must rise strictly")
    return values


Minutes = Annotated[float, Field(gt=0, le=525_600)]
"""Up to a year."""
Chains = Annotated[int, Field(ge=16, le=1_000_000)]
Seeds = Annotated[int, Field(ge=2, le=10_000)]
NotEmpty = Field(min_length=1)
Names = Annotated[tuple[str, ...], NotEmpty]
Levels = Annotated[tuple[Positive, ...], NotEmpty, AfterValidator(_unique)]
Tuned = Annotated[tuple[Any, ...], NotEmpty, AfterValidator(_unique)]
"""Values of an option, checked with the samplers that have it (`mistakes`)."""
Steps = Annotated[tuple[Count, ...], NotEmpty, AfterValidator(_rises)]


BLOCKS = 40
"""Of chains, by leaving out one of which errors are found."""


def _whole_blocks(chains: int) -> int:
    if chains % BLOCKS:
        raise ValueError(f"must be a multiple of {BLOCKS}, so many blocks of chains")
    return chains


InBlocks = Annotated[int, Field(ge=2 * BLOCKS, le=1_000_000), AfterValidator(_whole_blocks)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Sweep(_Strict):
    """The choice of the learning rate, alike for every loss: by validation after short runs on seeds of their own."""

    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=2), AfterValidator(_rises)]
    seeds: Seeds = 3
    steps: Count = 400


class Training(_Strict):
    """How every loss of a target is trained: the same points, steps and optimiser for all."""

    size: Count = 10_000
    sizes: Annotated[tuple[Count, ...], AfterValidator(_unique)] = ()
    """Smaller training sets, on each of which every loss is trained as well, by itself, and measured."""
    batch: Count = 128
    steps: Steps = (1_500,)
    """Gradient steps at which the parameters are kept and measured: training ends at the first from which more are known not to pay, and samplers use that."""
    learning_rate: Positive = 3e-3
    """Of every loss, where there is no sweep."""
    sweep: Sweep | None = None


class Sampling(_Strict):
    """How a source is sampled: the samplers, the two grid axes and the options that are tuned with them, the budgets."""

    samplers: Names
    losses: Names | None = None
    """Of the trained sources, those of these losses; all of them where absent."""
    step_sizes: Levels
    temperatures: Levels = (1.0,)
    grid: dict[str, Tuned] = {}
    """Further options: each sampler that tunes one (TUNES) is sampled at each of its values, as a spec of its own."""
    chains: Chains = 128
    budgets: Steps = (50, 100, 200, 500)
    """Gradients a chain after which its state is kept and measured."""


class Race(_Strict):
    """Samplers on the exact score at T = 1 that are compared by their work to accuracy: from which steps and values of tuned options on, and how far."""

    samplers: Names
    step_sizes: Levels
    """Where the pilot begins; it goes on beyond an edge, and between, by itself."""
    grid: dict[str, Tuned] = {}
    """As in `Sampling`."""
    budget: Annotated[int, Field(ge=20, le=1_000_000_000)] = 2_000
    """Gradients a chain."""
    pilot: InBlocks | None = None
    """Chains, where they are others than the suite's (`accuracy`)."""
    final: InBlocks | None = None


class Accuracy(_Strict):
    """What the work of all samplers is measured to, and how well."""

    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The squared bias, in units of the law's own variance, that counts as arrived."""
    margin: Annotated[float, Field(gt=1, le=10)] = 1.25
    """Two works are equivalent whose ratio lies within 1/margin and margin."""
    pilot: InBlocks = 1_280
    """Chains of each cell; four times as many at the steps around the best."""
    final: InBlocks = 40_960
    """Chains of the chosen cell."""


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, dict) else value


Blocks = Annotated[tuple[Sampling, ...], BeforeValidator(_several)]
"""One block, or a list of them."""
Races = Annotated[tuple[Race, ...], BeforeValidator(_several)]


class Experiment(_Strict):
    """A target, what is trained on it, and how the exact score and the trained sources are sampled."""

    target: str
    seeds: Seeds
    rank_by: str | None = None
    """Of the suite's metrics the one that chooses steps and ranks samplers on this target; where absent the first that can."""
    training: Training = Training()
    sources: dict[str, Names] = {}
    """Model spec to loss specs."""
    exact: Blocks = ()
    trained: Blocks = ()
    work: Races = ()


class Sensitivity(_Strict):
    """Planted faults (`metrics.lib.faults`) on exact draws of a target with modes: how often does each metric raise the alarm?"""

    target: str
    chains: Chains = 256
    repeats: Annotated[int, Field(ge=20, le=100_000)] = 100


class Suite(_Strict):
    """One run of the workflow."""

    name: Annotated[str, AfterValidator(_plain), AfterValidator(_free)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    device: Annotated[str, AfterValidator(_device)] = "cpu"
    job_minutes: Minutes = 30.0
    """A job that takes longer is stopped; its rows say `timeout`."""
    job_memory_mb: Annotated[float, Field(ge=500, le=1e8)] = 4000.0
    """A job that uses more is stopped; its rows say so."""
    plugins: tuple[str, ...] = ()
    """Files with methods of one's own, from the suite's folder."""
    experiments: Annotated[tuple[Experiment, ...], NotEmpty]
    metrics: Names
    accuracy: Accuracy = Accuracy()
    sensitivity: Sensitivity | None = None
    """Which of the metrics sees which planted fault; measured where it is asked for."""
    snapshots: Names | None = None
    """Of the metrics, those that are measured at every budget and not at the last alone; all of them where absent."""
    claims: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
