"""JAX, compiled by XLA, a point at a time under vmap; MALA is blackjax's. Numbers come of keys, split once a step, in JAX's default generator."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.contest import clocked
from benchmarks.law import Law
from benchmarks.sampling import Chains, Step
from benchmarks.training import RATE, SIGMA, Training, network, points
from scorebench.engine.training import GAMMA


def _jax() -> Any:
    """JAX. Raises ImportError where it would run elsewhere than torch does."""
    import jax

    if torch.get_default_device().type != jax.default_backend().replace("gpu", "cuda"):
        raise ImportError(name=f"JAX for {torch.get_default_device().type}")
    jax.config.update("jax_default_matmul_precision", "highest")  # torch's own; on a GPU it would round products to TF32
    return jax


def _torch(array: Any) -> Tensor:
    return torch.tensor(np.asarray(array))


def _chains(first: Callable[[Any], Any], step: Callable[[Any, Any], Any], draw: Callable[[Any, Any], Any]) -> Chains:
    """Chains (n, ...) from `first(x)` by `step(state, drawn)`, whose state's first member is the position."""
    import jax

    @jax.jit
    def loop(x: Any, key: Any, steps: Any) -> Any:
        def body(_: Any, carried: Any) -> Any:
            state, key = carried
            key, here = jax.random.split(key)
            return step(state, draw(here, x)), key

        return jax.lax.fori_loop(0, steps, body, (first(x), key))[0][0]

    def go(x: Tensor, steps: int, seed: int) -> Tensor:
        return _torch(loop(jax.numpy.asarray(x.cpu().numpy()), jax.random.key(seed), steps)).to(x)

    def draws(x: Tensor, steps: int, seed: int) -> Iterator[Step]:
        key, drawn = jax.random.key(seed), jax.jit(draw)
        like = jax.numpy.asarray(x.cpu().numpy())
        for _ in range(steps):
            key, here = jax.random.split(key)
            eps = _torch(drawn(here, like)).double()
            yield eps.expand(*x.shape).reshape(-1, 2).to(x.device), eps.new_zeros(0)

    return Chains(go, draws)


def ula(law: Law, step_sizes: list[float]) -> Chains:
    """Positions (chain, 2), or (step size, seed, chain, 2), where the step sizes of a seed share their noise, as scorebench's cells do."""
    jax = _jax()
    import jax.numpy as jnp

    _, score = law.in_jax()
    c = jnp.asarray(step_sizes, jnp.float32)

    def over_points(x: Any) -> Any:
        return jax.vmap(score)(x.reshape(-1, 2)).reshape(x.shape)

    def step(state: Any, eps: Any) -> Any:
        x, s = state  # carried: where the score is worked out within the sum, XLA does so once a coordinate, and takes twice as long
        size = c.reshape(-1, *[1] * (x.ndim - 1)) if x.ndim > 2 else c[0]
        x = x + size * s + jnp.sqrt(2 * size) * eps
        return x, over_points(x)

    return _chains(
        lambda x: (x, over_points(x)), step, lambda key, x: jax.random.normal(key, x.shape if x.ndim == 2 else (1, *x.shape[1:]))
    )


def baoab(law: Law, step_size: float) -> Chains:
    """Friction 1, h = sqrt(2 c), from rest; (chain, 2)."""
    jax = _jax()
    import jax.numpy as jnp

    _, score = law.in_jax()
    h = (2 * step_size) ** 0.5
    keep = float(np.exp(-h))
    lose = (1 - keep**2) ** 0.5

    def step(state: Any, eps: Any) -> Any:
        x, v, s = state
        v = v + h / 2 * s
        x = x + h / 2 * v
        v = keep * v + lose * eps
        x = x + h / 2 * v
        s = jax.vmap(score)(x)
        return x, v + h / 2 * s, s

    return _chains(lambda x: (x, jnp.zeros_like(x), jax.vmap(score)(x)), step, lambda key, x: jax.random.normal(key, x.shape))


def blackjax_mala(law: Law, step_size: float) -> Chains:
    """A kernel a chain under vmap, a key each; the gradient is JAX's of the log density."""
    import blackjax

    jax = _jax()
    log_prob, _ = law.in_jax()
    method = blackjax.mala(log_prob, step_size)

    @jax.jit
    def loop(x: Any, key: Any, steps: Any) -> Any:
        def body(_: Any, carried: Any) -> Any:
            state, key = carried
            key, here = jax.random.split(key)
            state, _ = jax.vmap(method.step)(jax.random.split(here, len(x)), state)
            return state, key

        return jax.lax.fori_loop(0, steps, body, (jax.vmap(method.init)(x), key))[0].position

    def go(x: Tensor, steps: int, seed: int) -> Tensor:
        return _torch(loop(jax.numpy.asarray(x.cpu().numpy()), jax.random.key(seed), steps)).to(x)

    @jax.jit
    def drawn(key: Any) -> Any:
        noise, choice = jax.random.split(key)  # as its kernel does
        return jax.random.normal(noise, (2,)), jax.random.uniform(choice)

    def draws(x: Tensor, steps: int, seed: int) -> Iterator[Step]:
        key = jax.random.key(seed)
        for _ in range(steps):
            key, here = jax.random.split(key)
            eps, uniform = jax.vmap(drawn)(jax.random.split(here, len(x)))
            yield _torch(eps).double(), _torch(uniform).double()

    return Chains(go, draws)


def training(name: str, spec: str, batch: int) -> Training:
    """All steps in one compiled loop, gradients by JAX, Adam by optax, and the average."""
    jax = _jax()
    import jax.numpy as jnp
    import optax

    def energy(parameters: Any, x: Any) -> Any:
        w1, b1, w2, b2, w, b = parameters
        return (jax.nn.softplus(jax.nn.softplus(x @ w1.T + b1) @ w2.T + b2) @ w.T + b)[..., 0]

    def field(parameters: Any, x: Any) -> Any:
        return -jax.grad(lambda y: energy(parameters, y).sum())(x)

    def loss(parameters: Any, x: Any, draws: Any) -> Any:
        if name == "denoising":
            return 0.5 * ((SIGMA * field(parameters, x + SIGMA * draws) + draws) ** 2).sum(-1).mean()
        if name == "sliced":
            s, along = jax.jvp(lambda y: field(parameters, y), (x,), (draws,))
            return ((along * draws).sum(-1) + 0.5 * (s * draws).sum(-1) ** 2).mean()
        total = 0.0
        for axis in jnp.eye(2):
            s, along = jax.jvp(lambda y: field(parameters, y), (x,), (jnp.broadcast_to(axis, x.shape),))
            total = total + (along @ axis).mean()
        return total + 0.5 * (s**2).sum(-1).mean()

    data = jnp.asarray(points().cpu().numpy())
    start = [jnp.asarray(p.detach().cpu().numpy()) for p in network(spec).parameters()]

    def drawn(key: Any) -> tuple[Any, Any]:
        rows, noise = jax.random.split(key)
        return data[jax.random.randint(rows, (batch,), 0, len(data))], jax.random.normal(noise, (batch, 2))

    @partial(jax.jit, static_argnums=1)
    def loop(key: Any, steps: int) -> Any:
        optimiser = optax.adam(RATE)

        def body(done: Any, carried: Any) -> Any:
            parameters, average, state, key = carried
            key, here = jax.random.split(key)
            updates, state = optimiser.update(jax.grad(loss)(parameters, *drawn(here)), state)
            parameters, weight = optax.apply_updates(parameters, updates), 1 - (1 - 1 / (done + 1.0)) ** (GAMMA + 1)
            return parameters, [mean + weight * (p - mean) for mean, p in zip(average, parameters, strict=True)], state, key

        return jax.lax.fori_loop(0, steps, body, (start, start, optimiser.init(start), key))[1]

    def train(steps: int, seed: int) -> list[Tensor]:
        return [_torch(p) for p in loop(jax.random.key(seed), steps)]

    def batches(steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        key = jax.random.key(seed)
        for _ in range(steps):
            key, here = jax.random.split(key)
            x, draws = drawn(here)
            yield _torch(x), _torch(draws)

    return Training(train, batches, lambda steps: clocked(lambda: train(steps, 0)) / steps * 1_000)
