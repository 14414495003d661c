"""Fifty steps of every optimiser, some with a schedule, as PyTorch takes them; they are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.engine.optim import SGD
from cnnviz.engine.schedules import CosineAnnealingLR, LinearLR, Schedule, Schedules, StepLR
from tests.cases import OPTIMISERS, scheduled

FILE = Path(__file__).parent / "optimisers.npz"
STEPS = 50

WALKS = {
    **OPTIMISERS,
    "sgd-three-schedules": lambda: scheduled(
        SGD(0.1),
        Schedules(
            [
                (LinearLR(0.1, total_iters=5), None),
                (CosineAnnealingLR(20, 0.01), 5),
                (StepLR(4, 0.7), 30),
            ]
        ),
    ),
}


# The walks of the lesson: PyTorch's optimiser with its arguments, and the schedule.
LESSON: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "plain": ("SGD", {"lr": 0.1}, "", {}),
    "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}, "", {}),
    "nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, "", {}),
    "rmsprop": ("RMSprop", {"lr": 0.1, "alpha": 0.9}, "", {}),
    "adam": ("Adam", {"lr": 0.5}, "", {}),
    "decay": ("SGD", {"lr": 0.1, "weight_decay": 1.0}, "", {}),
    "steps": ("SGD", {"lr": 1.0}, "StepLR", {"step_size": 5, "gamma": 0.75}),
    "cosine": ("SGD", {"lr": 1.0}, "CosineAnnealingLR", {"T_max": 20}),
}


def torch_lesson() -> dict[str, Array]:
    """Return each walk down (w − 3)² from −1, with PyTorch's own gradients."""
    import torch

    found = {}
    for name, (kind, given, schedule, more) in LESSON.items():
        w = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
        optimiser = getattr(torch.optim, kind)([w], **given)
        rates = getattr(torch.optim.lr_scheduler, schedule)(optimiser, **more) if schedule else None
        walk = [w.item()]
        for _ in range(20):
            optimiser.zero_grad()
            ((w - 3) ** 2).backward()
            optimiser.step()
            if rates is not None:
                rates.step()
            walk.append(w.item())
        found[f"lesson-{name}"] = np.array(walk)
    return found


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
    optimiser, w = WALKS[label](), start()
    state, found = optimiser.start(w), []
    for t in range(1, STEPS + 1):
        w, state = optimiser.step(w, gradient(w, t), state, t)
        found.append(w)
    return np.stack(found)


def torch_schedule(own: Schedule, optimiser: Any) -> Any:
    """Return PyTorch's schedule; of several, those that multiply are chained, and these follow each other."""
    from torch.optim import lr_scheduler

    if not isinstance(own, Schedules):
        return getattr(lr_scheduler, type(own).__name__)(optimiser, **vars(own))
    runs: list[list[Any]] = []
    for schedule, begins in own.parts:
        made = torch_schedule(schedule, optimiser)
        if not runs or begins is not None:
            runs.append([])
        runs[-1].append(made)
    chained = [run[0] if len(run) == 1 else lr_scheduler.ChainedScheduler(run) for run in runs]
    milestones = [begins for _, begins in own.parts if begins is not None]
    return lr_scheduler.SequentialLR(optimiser, chained, milestones) if milestones else chained[0]


def torch_walk(label: str) -> Array:
    """Return the same of PyTorch's optimiser."""
    import torch

    own = WALKS[label]()
    given = {name: value for name, value in vars(own).items() if name != "schedule"}
    if "beta1" in given:
        given["betas"] = given.pop("beta1"), given.pop("beta2")
    w = torch.tensor(start(), dtype=torch.float64, requires_grad=True)
    optimiser = getattr(torch.optim, type(own).__name__)([w], **given)
    schedule = torch_schedule(own.schedule, optimiser) if own.schedule else None
    found = []
    for t in range(1, STEPS + 1):
        w.grad = torch.from_numpy(gradient(w.detach().numpy(), t))
        optimiser.step()
        if schedule is not None:
            schedule.step()
        found.append(w.detach().numpy().copy())
    return np.stack(found)
