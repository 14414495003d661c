"""How weights move: gradient descent with momentum, and Adam.

An optimiser is a rule without state of its own: the state of a parameter (its velocity, say)
is passed in and handed back, so that any iteration can be computed again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy import sqrt

from cnnviz.engine.layer import Array, Listing, Value

OptimiserState = Mapping[str, Array]


class Optimiser(ABC):
    """A rule that makes new parameters of old ones and their gradients.

    Attributes
    ----------
    state_names : tuple[str, ...]
        The names of the arrays it keeps for each parameter, zeros at first, as its listing calls them.
    listing : Listing
        Its rule.
    rule : str
        The kind of that: ``sgd.momentum``.
    """

    kind: ClassVar[str]
    rule: str
    state_names: ClassVar[tuple[str, ...]]
    listing: Listing

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.rule = self.kind

    def start(self, w: Array) -> OptimiserState:
        """Return the state of a parameter before the first step."""
        return {name: np.zeros_like(w) for name in self.state_names}

    @abstractmethod
    def step(self, w: Array, dw: Array, state: OptimiserState, t: int) -> tuple[Array, OptimiserState]:
        """Return the new parameter and its new state.

        Parameters
        ----------
        w, dw : Array
            The parameter and ∂E/∂w.
        state : OptimiserState
            What `start` or the last step returned.
        t : int
            The number of this step, from 1.
        """

    @abstractmethod
    def constants(self, t: int) -> dict[str, Value]:
        """Return what the listing takes besides arrays and N."""


# The listings, set as they are shown; a parameter of any shape is seen as one row of N numbers.
# fmt: off

def sgd(w, dw, lr, N):
    for n in range(N):
        w[n] = w[n] - lr * dw[n]


def sgd_momentum(w, dw, v, lr, momentum, N):
    for n in range(N):
        v[n] = momentum * v[n] + dw[n]
        w[n] = w[n] - lr * v[n]


def adam(w, dw, m, v, lr, beta1, beta2, eps, t, N):
    for n in range(N):
        m[n] = beta1 * m[n] + (1 - beta1) * dw[n]
        v[n] = beta2 * v[n] + (1 - beta2) * dw[n] ** 2
        mean = m[n] / (1 - beta1 ** t)
        spread = sqrt(v[n] / (1 - beta2 ** t))
        w[n] = w[n] - lr * mean / (spread + eps)

# fmt: on


class SGD(Optimiser):
    """Stochastic gradient descent: v ← momentum · v + dw, then w ← w − lr · v.

    Without momentum there is no v, and w ← w − lr · dw.
    """

    kind = "sgd"
    state_names = ()

    def __init__(self, lr: float, momentum: float = 0.0) -> None:
        super().__init__(lr)
        self.momentum = momentum
        self.listing = sgd_momentum if momentum else sgd
        self.rule = "sgd.momentum" if momentum else "sgd"

    def start(self, w: Array) -> OptimiserState:
        """Return a velocity of zero, if there is momentum."""
        return {"v": np.zeros_like(w)} if self.momentum else {}

    def step(self, w: Array, dw: Array, state: OptimiserState, t: int) -> tuple[Array, OptimiserState]:
        """Walk down the slope, keeping some of the last step's velocity."""
        if not self.momentum:
            return w - self.lr * dw, {}
        v = self.momentum * state["v"] + dw
        return w - self.lr * v, {"v": v}

    def constants(self, t: int) -> dict[str, Value]:
        """Return the learning rate and the momentum, if any."""
        return {"lr": self.lr, "momentum": self.momentum} if self.momentum else {"lr": self.lr}


class Adam(Optimiser):
    """Adam: a step of about the learning rate for every weight, whatever the size of its gradient.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1.
    """

    kind = "adam"
    state_names = ("m", "v")
    listing = staticmethod(adam)

    def __init__(self, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__(lr)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def step(self, w: Array, dw: Array, state: OptimiserState, t: int) -> tuple[Array, OptimiserState]:
        """Divide the running mean of the gradient by the root of its running square."""
        m = self.beta1 * state["m"] + (1 - self.beta1) * dw
        v = self.beta2 * state["v"] + (1 - self.beta2) * dw**2
        mean, spread = m / (1 - self.beta1**t), np.sqrt(v / (1 - self.beta2**t))
        return w - self.lr * mean / (spread + self.eps), {"m": m, "v": v}

    def constants(self, t: int) -> dict[str, Value]:
        """Return the learning rate, both decay rates, ε and the number of the step."""
        return {"lr": self.lr, "beta1": self.beta1, "beta2": self.beta2, "eps": self.eps, "t": t}
