r"""The no-U-turn sampler of blackjax: Hamiltonian Monte Carlo whose paths end where they turn back, adapted in windows as Stan does.

H(x, v) = -log p(x)/T + v'M^-1 v/2, by leapfrog steps h; doubled until a turn        (Hoffman and Gelman 2014, algorithm 6, with multinomial weights)

The first `warmup` transitions adapt h, to an acceptance of .8 from h = sqrt(2 c), and a diagonal M, of each chain by itself; their gradients count. After them
the chain leaves p^(1/T) invariant, and a budget that ends among them is not applicable. A transition takes as many gradients as its path has steps: what is
reported is the mean over chains. Density and score are torch's, of any source, called back from JAX for all chains at once; arrays cross by DLPack, and
the keys come of the generators.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.core.options import Count
from scorebench.samplers.base import TRACE_CHAINS, TRACE_DRAWS, Density, Outcome

LABEL = "NUTS (blackjax)"
EQUATION = r"H(x,v)=-\log p(x)/T+\tfrac12 v^\top M^{-1}v"
REFERENCE = "Hoffman and Gelman (2014), algorithm 6; Cabezas et al. (2024), BlackJAX"
NEEDS = {"source.score", "source.log_prob"}
GRADIENTS = 1
EXACT = True
PEERS = {"peers": ("blackjax", "jax")}


@dataclass(frozen=True, eq=False)
class NUTSBlackjax:
    """Hyper-parameters: the grid axes, both (grid, 1), c being where the adaptation of the step begins; transitions that adapt."""

    step_size: Tensor
    temperature: Tensor
    warmup: Count = 100

    def run(self, density: Density, start: Tensor, budgets: Sequence[int], generators: Sequence[torch.Generator]) -> Outcome:
        """The cells in turn, all seeds and chains of one together, until the last seed has spent the last budget."""
        import jax

        words = [torch.randint(2**32, (2,), generator=g, device=g.device).cpu().numpy().astype(np.uint32) for g in generators]
        keys = jax.vmap(lambda key: jax.random.split(key, start.shape[1]))(jax.random.wrap_key_data(jax.numpy.stack(words)))
        warm, go_on = _transitions(density, start.shape, self.warmup)
        cells = [
            self._cell(warm, go_on, keys.flatten(), start, budgets, math.sqrt(2 * float(c)), float(t))
            for c, t in zip(self.step_size, self.temperature, strict=True)
        ]
        samples, steps, gradients, traces, accepted = zip(*cells, strict=True)
        by_chain = torch.stack(accepted, 1)  # (seed, cell, chain)
        draws = min(trace.shape[-2] for trace in traces)
        return Outcome(
            torch.stack(samples, 2),
            tuple(np.mean(steps, (0, 1)).round().astype(int).tolist()),
            tuple(np.mean(gradients, (0, 1)).round().astype(int).tolist()),
            torch.stack([trace[..., -draws:, :] for trace in traces], 1),
            by_chain.mean(-1),
            by_chain.std(-1, correction=min(start.shape[1] - 1, 1)),
        )

    def _cell(self, warm: Any, go_on: Any, keys: Any, start: Tensor, budgets: Sequence[int], h: float, t: float) -> tuple[Any, ...]:
        import jax

        seeds, chains, dim = start.shape
        state, parameters, (positions, taken) = warm(keys, jax.numpy.from_dlpack(start.cpu().reshape(-1, dim).contiguous()), h, t)
        visited = [*_torch(positions).unbind(1)]  # a transition each, (seed * chain, d)
        spent = [*_torch(taken).unbind(1)]
        accepted: list[Tensor] = []

        def mean_gradients() -> Tensor:
            """A seed's chains' mean up to each transition, the first evaluation included, (transition, seed)."""
            return 1 + torch.stack(spent).double().unflatten(1, (seeds, chains)).mean(-1).cumsum(0)

        total = mean_gradients()[-1]
        while total.min() <= budgets[-1]:
            keys, state, (position, steps, acceptance) = go_on(keys, state, parameters, t)
            visited.append(_torch(position))
            spent.append(_torch(steps))
            accepted.append(_torch(acceptance))
            total = total + spent[-1].double().unflatten(0, (seeds, chains)).mean(-1)
        by_seed = mean_gradients()
        path = torch.stack([start.cpu().reshape(-1, dim), *visited]).unflatten(1, (seeds, chains))  # (transition, seed, chain, d)
        within = [[int((by_seed[:, s] <= budget).sum()) for budget in budgets] for s in range(seeds)]  # transitions
        samples = torch.stack([torch.stack([path[n, s] for n in its]) for s, its in enumerate(within)], 1).to(start)
        gradients = [[float(by_seed[n - 1, s]) if n else 1.0 for n in its] for s, its in enumerate(within)]
        if min(its[-1] for its in within) <= self.warmup:
            least = math.ceil(by_seed[self.warmup - 1].max())
            raise NotApplicable(
                f"its adaptation takes {least} gradients a chain, so that a budget of {budgets[-1]} leaves none for the law"
            )
        last = [path[max(self.warmup, its[-1] // 2) + 1 : its[-1] + 1, s, :TRACE_CHAINS] for s, its in enumerate(within)]
        draws = min(TRACE_DRAWS, *map(len, last))
        traces = [_thinned(states, draws) for states in last]
        shares = torch.stack(accepted).unflatten(1, (seeds, chains))
        means = [shares[: its[-1] - self.warmup, s].mean(0) for s, its in enumerate(within)]
        return samples, within, gradients, torch.stack(traces).to(start), torch.stack(means).to(start)


def _thinned(path: Tensor, draws: int) -> Tensor:
    """So many draws, evenly, up to the last: (transition, chain, d) -> (chain, draw, d)."""
    thin = len(path) // draws
    return path.flip(0)[::thin][:draws].flip(0).movedim(0, 1)


def _torch(array: Any) -> Tensor:
    """An array of JAX's, a copy."""
    return torch.from_dlpack(array).clone()


def _transitions(density: Density, shape: tuple[int, ...], warmup: int) -> tuple[Any, Any]:
    """The adaptation from a position, and a transition, of all chains (seed * chain, ...); compiled once."""
    import blackjax
    import jax

    seeds, chains, dim = shape
    device = torch.get_default_device()

    def called_back(x: Any) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            s, log_p = density.score_and_log_prob(_torch(x).to(device).view(seeds, 1, chains, dim))
        return log_p.flatten().cpu().numpy(), s.reshape(-1, dim).cpu().numpy()

    def both(x: Any) -> Any:
        of_a_chain = jax.ShapeDtypeStruct((), np.float32), jax.ShapeDtypeStruct((dim,), np.float32)
        return jax.pure_callback(called_back, of_a_chain, x, vmap_method="broadcast_all")

    log_prob = jax.custom_vjp(lambda x: both(x)[0])
    log_prob.defvjp(both, lambda score, cotangent: (cotangent * score,))
    kernel = blackjax.nuts.build_kernel()

    def warm(key: Any, x: Any, h: Any, t: Any) -> Any:
        adaptation = blackjax.window_adaptation(
            blackjax.nuts,
            lambda y: log_prob(y) / t,
            initial_step_size=h,
            adaptation_info_fn=lambda state, info, _: (state.position, info.num_integration_steps),
        )
        (state, parameters), told = adaptation.run(key, x, warmup)
        return state, {name: parameters[name] for name in ("step_size", "inverse_mass_matrix")}, told

    def go_on(key: Any, state: Any, parameters: Any, t: Any) -> Any:
        key, here = jax.random.split(key)
        state, info = kernel(here, state, lambda y: log_prob(y) / t, **parameters)
        return key, state, (state.position, info.num_integration_steps, info.acceptance_rate)

    return jax.jit(jax.vmap(warm, (0, 0, None, None))), jax.jit(jax.vmap(go_on, (0, 0, 0, None)))
