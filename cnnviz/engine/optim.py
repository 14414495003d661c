"""How weights move: gradient descent with momentum, AdaGrad, RMSprop, Adam; names and forms are PyTorch's.

An optimiser is a rule without state of its own: the state of a parameter (its velocity, say)
is passed in and handed back, so that any iteration can be computed again. Weight decay and a schedule of the
learning rate are changes of its listing, so that every rule can have them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy import cos, pi, sqrt  # noqa: F401 (schedules name cos and pi)

from cnnviz.engine.generated import with_changes
from cnnviz.engine.layer import Array, Listing, Value
from cnnviz.engine.schedules import Schedule
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

OptimiserState = Mapping[str, Array]


class Optimiser(ABC):
    """A rule that makes new parameters of old ones and their gradients.

    Attributes
    ----------
    state_names : tuple[str, ...]
        The names of the arrays it keeps for each parameter, zeros at first, as its listing calls them.
    kind : str
        What a lesson file calls it.
    schedule : Schedule or None
        How its learning rate goes on; the same for ever where there is none.
    """

    kind: ClassVar[str]
    state_names: ClassVar[tuple[str, ...]]
    schedule: Schedule | None = None

    def __init__(self, lr: float, weight_decay: float = 0.0) -> None:
        self.lr, self.weight_decay = lr, weight_decay

    @property
    @abstractmethod
    def _plain(self) -> tuple[str, Listing]:
        """The kind of its rule, ``sgd.momentum``, and the listing, both without decay and schedule."""

    @property
    def rule(self) -> str:
        """The kind of its listing: ``sgd.momentum``, ``sgd.momentum.decay``, ``sgd.decay.step_lr``."""
        schedule = f".{self.schedule.kind}" if self.schedule else ""
        return self._plain[0] + (".decay" if self._decays_gradients else "") + schedule

    @property
    def listing(self) -> Listing:
        """Its rule, for a parameter of any shape as one row of N numbers."""
        changes: dict[str, str] = {}
        names: list[str] = []
        if self._decays_gradients:
            changes |= {"dw[n]": "g", _LOOP: f"{_LOOP}        g = dw[n] + weight_decay * w[n]\n"}
            names.append("weight_decay")
        if self.schedule:
            lines = "".join(f"    {line}\n" for line in self.schedule.lines)
            changes |= {"lr": "rate", "    for n": f"{lines}    for n"}
            names += self.schedule.names
        return with_changes(self._plain[1], changes, *names)

    @property
    def _decays_gradients(self) -> bool:
        return bool(self.weight_decay)

    def rate(self, t: int) -> float:
        """Return the learning rate of a step, which are numbered from 1."""
        return self.schedule.rate(self.lr, t - 1) if self.schedule else self.lr

    def _decayed(self, w: Array, dw: Array) -> Array:
        """Return a gradient with the part of the weights that decays added to it."""
        return dw + self.weight_decay * w if self._decays_gradients else dw

    def constants(self, t: int) -> dict[str, Value]:
        """Return what the listing of a step takes besides arrays and N."""
        decay: dict[str, Value] = {"weight_decay": self.weight_decay} if self.weight_decay else {}
        scheduled = self.schedule.constants(t - 1) if self.schedule else {}
        return {"lr": self.lr, **self._constants(t), **decay, **scheduled}

    def _constants(self, t: int) -> dict[str, Value]:
        """Return what its own rule takes of these besides the learning rate."""
        return {}

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


_LOOP = "    for n in range(N):\n"

# The listings, set as they are shown; a parameter of any shape is seen as one row of N numbers.
# fmt: off

def sgd(w, dw, lr, N):
    for n in range(N):
        w[n] = w[n] - lr * dw[n]


def sgd_momentum(w, dw, v, lr, momentum, N):
    for n in range(N):
        v[n] = momentum * v[n] + dw[n]
        w[n] = w[n] - lr * v[n]


def sgd_nesterov(w, dw, v, lr, momentum, N):
    for n in range(N):
        v[n] = momentum * v[n] + dw[n]
        w[n] = w[n] - lr * (dw[n] + momentum * v[n])


def adagrad(w, dw, v, lr, eps, N):
    for n in range(N):
        v[n] = v[n] + dw[n] ** 2
        w[n] = w[n] - lr * dw[n] / (sqrt(v[n]) + eps)


def rmsprop(w, dw, v, lr, alpha, eps, N):
    for n in range(N):
        v[n] = alpha * v[n] + (1 - alpha) * dw[n] ** 2
        w[n] = w[n] - lr * dw[n] / (sqrt(v[n]) + eps)


def adam(w, dw, m, v, lr, beta1, beta2, eps, t, N):
    for n in range(N):
        m[n] = beta1 * m[n] + (1 - beta1) * dw[n]
        v[n] = beta2 * v[n] + (1 - beta2) * dw[n] ** 2
        mean = m[n] / (1 - beta1 ** t)
        spread = sqrt(v[n] / (1 - beta2 ** t))
        w[n] = w[n] - lr * mean / (spread + eps)


def adamw(w, dw, m, v, lr, beta1, beta2, eps, weight_decay, t, N):
    for n in range(N):
        m[n] = beta1 * m[n] + (1 - beta1) * dw[n]
        v[n] = beta2 * v[n] + (1 - beta2) * dw[n] ** 2
        mean = m[n] / (1 - beta1 ** t)
        spread = sqrt(v[n] / (1 - beta2 ** t))
        w[n] = w[n] - lr * (weight_decay * w[n] + mean / (spread + eps))

# fmt: on


class SGD(Optimiser):
    """Stochastic gradient descent: v ← momentum · v + dw, then w ← w − lr · v.

    Without momentum there is no v, and w ← w − lr · dw.

    Parameters
    ----------
    nesterov : bool
        Whether the gradient pushes once more, with the new v: w ← w − lr · (dw + momentum · v).
        Source: Sutskever et al., "On the Importance of Initialization and Momentum in Deep Learning" (2013),
        in PyTorch's form.
    weight_decay : float
        How much of each parameter is added to its gradient.
    """

    kind = "sgd"
    state_names = ()

    def __init__(
        self, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__(lr, weight_decay)
        if nesterov and not momentum:
            raise CnnvizError(tr("optimiser: nesterov needs a momentum; give one, 0.9 for instance."))
        self.momentum, self.nesterov = momentum, nesterov

    @property
    def _plain(self) -> tuple[str, Listing]:
        if self.nesterov:
            return "sgd.nesterov", sgd_nesterov
        return ("sgd.momentum", sgd_momentum) if self.momentum else ("sgd", sgd)

    def start(self, w: Array) -> OptimiserState:
        """Return a velocity of zero, if there is momentum."""
        return {"v": np.zeros_like(w)} if self.momentum else {}

    def step(self, w: Array, dw: Array, state: OptimiserState, t: int) -> tuple[Array, OptimiserState]:
        """Walk down the slope, keeping some of the last step's velocity."""
        g = self._decayed(w, dw)
        if not self.momentum:
            return w - self.rate(t) * g, {}
        v = self.momentum * state["v"] + g
        return w - self.rate(t) * (g + self.momentum * v if self.nesterov else v), {"v": v}

    def _constants(self, t: int) -> dict[str, Value]:
        return {"momentum": self.momentum} if self.momentum else {}


class Adagrad(Optimiser):
    """AdaGrad: the more a weight's gradients have been in all, the smaller its steps become.

    Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization" (2011).
    """

    kind = "adagrad"
    state_names = ("v",)

    def __init__(self, lr: float = 0.01, eps: float = 1e-10, weight_decay: float = 0.0) -> None:
        super().__init__(lr, weight_decay)
        self.eps = eps

    @property
    def _plain(self) -> tuple[str, Listing]:
        return "adagrad", adagrad

    def step(self, w: Array, dw: Array, state: OptimiserState, t: int) -> tuple[Array, OptimiserState]:
        """Divide the gradient by the root of the sum of all its squares."""
        g = self._decayed(w, dw)
        v = state["v"] + g**2
        return w - self.rate(t) * g / (np.sqrt(v) + self.eps), {"v": v}

    def _constants(self, t: int) -> dict[str, Value]:
        return {"eps": self.eps}


class RMSprop(Optimiser):
    """RMSprop: the gradient divided by the root of the running mean of its square.

    Source: Hinton, "Neural Networks for Machine Learning" (2012), lecture 6e; ε as in PyTorch.

    Parameters
    ----------
    alpha : float
        α, how much of the running mean stays at each step.
    """

    kind = "rmsprop"
    state_names = ("v",)

    def __init__(
        self, lr: float = 0.01, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0
    ) -> None:
        super().__init__(lr, weight_decay)
        self.alpha, self.eps = alpha, eps

    @property
    def _plain(self) -> tuple[str, Listing]:
        return "rmsprop", rmsprop

    def step(self, w: Array, dw: Array, state: OptimiserState, t: int) -> tuple[Array, OptimiserState]:
        """Divide the gradient by its usual size."""
        g = self._decayed(w, dw)
        v = self.alpha * state["v"] + (1 - self.alpha) * g**2
        return w - self.rate(t) * g / (np.sqrt(v) + self.eps), {"v": v}

    def _constants(self, t: int) -> dict[str, Value]:
        return {"alpha": self.alpha, "eps": self.eps}


class Adam(Optimiser):
    """Adam: a step of about the learning rate for every weight, whatever the size of its gradient.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1.
    """

    kind = "adam"
    state_names = ("m", "v")

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    @property
    def _plain(self) -> tuple[str, Listing]:
        return "adam", adam

    def step(self, w: Array, dw: Array, state: OptimiserState, t: int) -> tuple[Array, OptimiserState]:
        """Divide the running mean of the gradient by the root of its running square."""
        g = self._decayed(w, dw)
        m = self.beta1 * state["m"] + (1 - self.beta1) * g
        v = self.beta2 * state["v"] + (1 - self.beta2) * g**2
        mean, spread = m / (1 - self.beta1**t), np.sqrt(v / (1 - self.beta2**t))
        return w - self.rate(t) * self._push(w, mean / (spread + self.eps)), {"m": m, "v": v}

    def _push(self, w: Array, push: Array) -> Array:
        """Return what the learning rate is multiplied by."""
        return push

    def _constants(self, t: int) -> dict[str, Value]:
        return {"beta1": self.beta1, "beta2": self.beta2, "eps": self.eps, "t": t}


class AdamW(Adam):
    """AdamW: Adam, beside which each weight shrinks by a part of itself, whatever its gradient.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019).

    Parameters
    ----------
    weight_decay : float
        By how much of it, times the learning rate.
    """

    kind = "adamw"

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(lr, beta1, beta2, eps, weight_decay)

    @property
    def _plain(self) -> tuple[str, Listing]:
        return "adamw", adamw

    @property
    def _decays_gradients(self) -> bool:
        return False

    def _push(self, w: Array, push: Array) -> Array:
        return self.weight_decay * w + push

    def _constants(self, t: int) -> dict[str, Value]:
        return {**super()._constants(t), "weight_decay": self.weight_decay}
