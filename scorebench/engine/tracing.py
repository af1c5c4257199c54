"""A step written down once as its tensor operations, and compiled where the work that is foreseen pays for it.

Written down, the transforms (grad, jvp, vmap) are not worked out again at every step, what is computed twice is computed once, and what nobody reads
not at all. Compiled, neighbouring operations become one loop over memory (torch's inductor, which writes C++ or Triton). Tensors that a function closes
over are inputs of what is written down, so that a kernel serves all functions that do the same with tensors of the same shapes: another seed's network,
another ring. Kernels are kept on disk between processes, where inductor keeps them.

What is written down is a pure function of its arguments: what else it reads (a counter, numpy's random numbers) would stay as it was. It is written down
with tensors that hold no numbers, so that a function that looks at one (`if x.max() > 3`, `x.numpy()`) raises there, and runs as it is.

Whether something is compiled follows from shapes and counts alone, never from a timing: equal plans give equal bytes on one machine. Where there is no
C++ compiler everything runs as it is; the results differ by rounding.
"""

import sys
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch._subclasses import FakeTensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

Function = Callable[..., Any]

WORTH_IT = 100
"""Steps: writing one down takes as long as some fifty."""
OFTEN = 20
"""Calls after which a function is written down that may be called again as often."""
WORTH_COMPILING, AT_MOST = 4 * 10**10, 1_000
"""Numbers that the operations of all steps give together: some forty seconds' work, of which a kernel, made in five to fifteen, saves a third to two thirds;
and how many the operations of one step give for a number that goes in, at most, so that little work is not written down to see how much it is."""


class Written(NamedTuple):
    """What a function does on inputs of certain shapes."""

    graph: Any
    """A `torch.fx.GraphModule` of flat inputs, with what the function closes over after them."""
    inputs: list[Tensor]
    """Those it was written down with, flat, and what the function closes over."""
    given: int
    """How many of them the caller gives."""
    gives: TreeSpec

    @property
    def numbers(self) -> int:
        """That all operations give."""
        values = [node.meta.get("val") for node in self.graph.graph.nodes if node.op == "call_function"]
        return sum(value.numel() for value in values if isinstance(value, Tensor))

    def calling(self, kernel: Function) -> Function:
        """The function again, by what does its operations."""
        constants = self.inputs[self.given :]

        def call(*inputs: Any) -> Any:
            return tree_unflatten(kernel(*tree_flatten(inputs)[0], *constants), self.gives)

        return call


def kernels() -> int:
    """How many this process has made or found on disk."""
    return len(_kernels)


def operations(function: Function, *inputs: Any) -> Function:
    """The operations that `function` does on inputs like these, tensors or containers of them; `function` itself where it cannot be written down."""
    written = _written(function, inputs)
    return written.calling(written.graph) if written else function


def repeated(function: Function) -> Function:
    """The same function, which is written down for inputs of a layout once it has been called `OFTEN` with such; where it is differentiated it is itself."""
    calls: Counter[object] = Counter()
    known: dict[object, Function] = {}

    def call(*inputs: Any) -> Any:
        tensors = tree_flatten(inputs)[0]
        if any(map(_watched, tensors)):
            return function(*inputs)
        layout = _layout(tensors)
        calls[layout] += 1
        if calls[layout] == OFTEN:
            known[layout] = operations(function, *inputs)
        return known.get(layout, function)(*inputs)

    return call


def _watched(tensor: Tensor) -> bool:
    """Whether what is done to a tensor is being written down or differentiated."""
    return isinstance(tensor, FakeTensor) or tensor.requires_grad or torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def compiled(function: Function, times: int, *inputs: Any) -> Function:
    """The same as a kernel where so many calls are worth it; else `function` itself. No derivative is taken through it."""
    tensors = [leaf for leaf in tree_flatten(inputs)[0] if isinstance(leaf, Tensor)]
    if times * sum(tensor.numel() for tensor in tensors) * AT_MOST < WORTH_COMPILING:
        return function
    made, layout = _made.setdefault(function, {}), _layout(tensors)
    if layout not in made:
        written = _written(function, inputs)
        if written is None or times * written.numbers < WORTH_COMPILING or not (kernel := _kernel(written)):
            return function
        made[layout] = written.calling(kernel)
    return made[layout]


def _written(function: Function, inputs: tuple[Any, ...]) -> Written | None:
    """None where the function looks at the numbers or takes others than tensors, or this torch has no tracer, which is an experimental part of it."""
    given, form = tree_flatten(inputs)
    if not all(isinstance(leaf, Tensor) for leaf in given):
        return None
    gives: list[TreeSpec] = []

    def flat(*leaves: Any) -> list[Any]:
        results, tree = tree_flatten(function(*tree_unflatten(list(leaves), form)))
        gives.append(tree)
        return results

    function(*inputs)  # so that what it keeps for the next time has numbers
    try:
        from torch.fx.experimental.proxy_tensor import make_fx

        traced = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)(*given)
        constants = _lift(traced)
        _leave_out(traced.graph)
        _merge(traced.graph)
        traced.graph.eliminate_dead_code()
        traced.recompile()
    except Exception:
        return None
    return Written(traced, [*given, *constants], len(given), gives[0])


def _leave_out(graph: Any) -> None:
    """Drop operations that give what they are given, as a view of the same shape or a derivative's factor 1, and the numbers of what only lends its shape."""
    aten = torch.ops.aten
    same = {aten.alias.default, aten.expand.default, aten.view.default, aten._unsafe_view.default, aten.mul.Scalar}
    filled = {aten.ones_like.default: 1, aten.zeros_like.default: 0}
    for node in [node for node in graph.nodes if node.op == "call_function" and isinstance(node.meta.get("val"), Tensor)]:
        value, given = node.meta["val"], node.args[0].meta.get("val") if isinstance(node.args[0], torch.fx.Node) else None
        if node.target in filled:
            with graph.inserting_before(node):
                other = graph.call_function(
                    aten.full.default, ([*value.shape], filled[node.target]), {"dtype": value.dtype, "device": value.device}
                )
            other.meta = dict(node.meta)
        elif (
            node.target in same
            and isinstance(given, Tensor)
            and _alike(value, given)
            and (node.target != aten.mul.Scalar or node.args[1] == 1)
        ):
            other = node.args[0]
        else:
            continue
        node.replace_all_uses_with(other)
        graph.erase_node(node)


def _merge(graph: Any) -> None:
    """Let what is computed twice be computed once, but for random numbers and what is given back; between two changes in place alone.

    As torch._functorch.compile_utils.fx_graph_cse does (tests/test_tracing.py), which imports all of inductor for it: 1.8 s of each process.
    """
    *nodes, output = graph.nodes
    given_back = {_storage(node) for node in output.all_input_nodes}
    first: dict[object, Any] = {}
    changes = 0
    for node in nodes:
        target = node.target
        if node.op != "call_function":
            continue
        if isinstance(target, torch._ops.OpOverload):
            changes += target._schema.is_mutable
            if torch.Tag.nondeterministic_seeded in target.tags or target.overloadpacket is torch.ops.aten.empty:
                continue
        if _storage(node) in given_back:
            continue
        same = first.setdefault((target, changes, repr(node.args), repr(node.kwargs)), node)
        if same is not node:
            node.replace_all_uses_with(same)
            graph.erase_node(node)


def _storage(node: Any) -> object:
    """The memory of what a node gives; the node itself where that is no tensor."""
    value = node.meta.get("val")
    return value.untyped_storage()._cdata if isinstance(value, Tensor) else node


def _alike(one: Tensor, other: Tensor) -> bool:
    return (one.shape, one.stride(), one.dtype, one.device) == (other.shape, other.stride(), other.dtype, other.device)


def _lift(traced: Any) -> list[Tensor]:
    """Make inputs of the tensors that stand in a graph, one of each, and return them."""
    graph = traced.graph
    inputs: dict[int, tuple[Tensor, Any]] = {}
    last = [node for node in graph.nodes if node.op == "placeholder"][-1]
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        constant = getattr(traced, node.target)
        if id(constant) not in inputs:
            with graph.inserting_after(last):
                last = graph.placeholder(f"constant_{len(inputs)}")
            last.meta = dict(node.meta)
            inputs[id(constant)] = constant, last
        node.replace_all_uses_with(inputs[id(constant)][1])
        graph.erase_node(node)
    return [constant for constant, _ in inputs.values()]


def _layout(tensors: list[Tensor]) -> tuple[object, ...]:
    return tuple((tensor.shape, tensor.stride(), tensor.dtype, tensor.device) for tensor in tensors)


_made: WeakKeyDictionary[Function, dict[object, Function]] = WeakKeyDictionary()
"""What a function has been compiled to."""
_kernels: dict[object, Function] = {}
_unable: list[str] = []


def _kernel(written: Written) -> Function | None:
    """A kernel for all that do these operations on tensors of these shapes; None where none can be made, which is said once."""
    key = written.graph.code, _layout(written.inputs)
    if key not in _kernels and not _unable:
        try:
            from torch._inductor import standalone_compile

            options = {"config_patches": {"compile_threads": 1}}
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's own
                kernel = standalone_compile(written.graph, [*written.inputs], dynamic_shapes="from_example_inputs", options=options)
                kernel(*written.inputs)
            _kernels[key] = kernel
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            print(f"scorebench: nothing is compiled here, which takes longer and changes results by rounding: {reason}", file=sys.stderr)
            _unable.append(reason)
    return _kernels.get(key)
