"""What the tests share that is pytest's: parametrisation over the registry, the devices, and the state that no test may leave behind."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import strategies as st

from scorebench import stages
from scorebench.commands import work
from scorebench.core import plugins, registry
from scorebench.core.schema import OK
from scorebench.engine.process import Left
from scorebench.testing import contract as testing
from scorebench.testing.examples import examples, of_file

DEVICES = ["cpu", "cuda"][: 1 + torch.cuda.is_available()]


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for one of torch's own: its forward differentiation calls what torch itself deprecates."""
    config.addinivalue_line("filterwarnings", r"ignore:`torch\.jit\.script` is deprecated:DeprecationWarning")


LONG = {"test_claims_mutants", "test_claims_whole", "test_veto"}
"""Files whose tests share nothing: each may run wherever a core is free."""


FIRST = (
    "test_workflow",
    "test_user",
    "test_limits",
    "test_check",
    "test_tracing",
    "test_targets",
    "test_figures",
    "test_readme",
    "test_promise",
    "test_cli",
    "test_compare",
    "test_fingerprint",
    "test_metrics",
    "test_faults",
)
"""Files of half a minute and more, in one process each: what is started last would be waited for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, and last the tests that share nothing, which fill what time is left on each core."""
    items.sort(key=lambda item: (*FIRST, item.path.stem).index(item.path.stem) + len(FIRST) * (item.path.stem in LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Every other file stays in one process, where its fixtures and caches are made once. (`--dist loadgroup` groups nothing under pytest 9.)"""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return nodeid if file.removesuffix(".py").rpartition("/")[2] in LONG else file

    return ByFile(config, log)


def over(name: str, kind: str, keep=lambda spec: True) -> pytest.MarkDecorator:
    """Parametrise a test over the examples of a kind; there is one at least."""
    specs = [spec for spec in examples(kind) if keep(spec)]
    assert specs, f"no {kind} is left to test"
    return pytest.mark.parametrize(name, specs, ids=str)


def contract(kind: str) -> pytest.MarkDecorator:
    """Parametrise a test over the checks of a kind, each with every example that it is one of: what `scorebench check` runs over a stranger's file."""
    pairs = [(check, spec) for check in testing.contract(kind) for spec in examples(kind) if testing.applies(check, spec)]
    every = [spec for name in registry.names(kind) for spec in of_file(kind, name)]  # what another library does (PEERS), too
    assert all(any(testing.applies(check, spec) for spec in every) for check in testing.contract(kind)), "a check of nothing"
    return pytest.mark.parametrize(("check", "spec"), pairs, ids=lambda value: getattr(value, "__name__", None) or str(value))


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Iterator[None]:
    """The contract tests run on the CPU and, where there is one, on a CUDA device: tensors and generators are made there by default."""
    if request.param == "cpu":
        yield
        return
    torch.set_default_device(request.param)
    yield
    torch.set_default_device(None)


@pytest.fixture(autouse=True)
def global_generator_untouched():
    """Randomness is an argument: whatever runs, torch's global generator stays where it was."""
    torch.set_num_threads(1)
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before), "the global generator was used"


def forget_plugins() -> None:
    """As a new process has it: no file from elsewhere, and installed packages looked up again."""
    plugins.files.clear()
    for function in (registry.entry, plugins.kind_of, plugins.installed):
        function.cache_clear()
    for name in [name for name in sys.modules if name.startswith(plugins.PACKAGE)]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def no_plugin_stays() -> Iterator[None]:
    """Those of a file's own fixture do, as long as it says."""
    before = dict(plugins.files)
    yield
    if plugins.files != before or any(map(plugins.installed, registry.FOLDERS)):
        forget_plugins()
        plugins.files.update(before)


@contextmanager
def in_this_process() -> Iterator[None]:
    """Jobs without the process that each has of its own: for tests of what many jobs write. Of what ends that process are tests/test_limits.py."""

    def here(work: Callable[[], None], seconds: float, megabytes: float) -> Left:
        work()
        return Left(OK, 0.0, 0.0)

    with pytest.MonkeyPatch.context() as patch:
        for module in (stages, work):
            patch.setattr(module, "isolated", here)
        yield


@pytest.fixture
def jobs_here() -> Iterator[None]:
    with in_this_process():
        yield


@pytest.fixture
def afresh() -> Iterator[None]:
    """For tests that break an experiment: what a claim computes once for a master seed neither comes from another test nor stays for it."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    for claim in registry.names("claim"):
        for function in vars(registry.module("claim", claim)).values():
            if hasattr(function, "cache_clear") and "master" in inspect.signature(function).parameters:
                function.cache_clear()


def values(option: registry.Option, by_type: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """What an option's annotation allows, by strategies for its types."""
    if option.annotation.startswith("Literal["):
        return st.sampled_from([word.strip(" '") for word in option.annotation.removeprefix("Literal[").removesuffix("]").split(",")])
    return st.one_of([by_type[part.strip()] for part in option.annotation.split("|")])
