"""Fifty steps of every optimiser, some with a schedule, as PyTorch takes them; they are recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnviz.engine.layer import Array
from tests.cases import OPTIMISERS

FILE = Path(__file__).parent / "optimisers.npz"
STEPS = 50


def start() -> Array:
    """The parameter before the first step; one of its numbers is 0."""
    w = np.random.RandomState(1).standard_normal((2, 3))
    w[0, 0] = 0
    return w


def gradient(w: Array, step: int) -> Array:
    """The gradient at a step: of both signs, of very different sizes, and now and then 0."""
    pushed = np.random.RandomState(step).standard_normal(w.shape) * [1e-3, 1, 30]
    pushed[1, step % 3] = 0
    return pushed + w


def walk(label: str) -> Array:
    """Return the parameter after each step."""
    optimiser, w = OPTIMISERS[label](), start()
    state, found = optimiser.start(w), []
    for t in range(1, STEPS + 1):
        w, state = optimiser.step(w, gradient(w, t), state, t)
        found.append(w)
    return np.stack(found)


def torch_walk(label: str) -> Array:
    """Return the same of PyTorch's optimiser."""
    import torch

    own = OPTIMISERS[label]()
    given = {name: value for name, value in vars(own).items() if name != "schedule"}
    if "beta1" in given:
        given["betas"] = given.pop("beta1"), given.pop("beta2")
    w = torch.tensor(start(), dtype=torch.float64, requires_grad=True)
    optimiser = getattr(torch.optim, type(own).__name__)([w], **given)
    schedule = None
    if own.schedule:
        kind = getattr(torch.optim.lr_scheduler, type(own.schedule).__name__)
        schedule = kind(optimiser, **vars(own.schedule))
    found = []
    for t in range(1, STEPS + 1):
        w.grad = torch.from_numpy(gradient(w.detach().numpy(), t))
        optimiser.step()
        if schedule is not None:
            schedule.step()
        found.append(w.detach().numpy().copy())
    return np.stack(found)
