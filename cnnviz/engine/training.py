"""Training: many iterations of one image or a few, any of which can be computed again.

An iteration is `Network.train_step` on its images. `Network.run` goes the same way, so that what is stepped
is what training did, to the last bit. Stochastic gradient descent on mini-batches, or in its first form on
one image after the other; source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 8.1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from math import isfinite, isnan, prod

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call
from cnnviz.engine.network import Network
from cnnviz.engine.optim import OptimiserState
from cnnviz.engine.product import tame
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

MOST_BYTES = 128 * 2**20
"""The most memory that the parameters of past iterations may take."""

_ARRAY_BYTES = 600  # what an array takes besides its numbers, with its name in a dictionary
# How many held-out images go through at once, and how many numbers they may make of them: a part of the
# work that a window can wait for.
_AT_ONCE, _NUMBERS_AT_ONCE = 64, 2**20

Named = Array | Mapping[str, Array]
"""An array; or several, by the names of inputs or of layers."""

Sample = tuple[Named, Named]


class Weights(Struct, frozen=True, eq=False):
    """All that an iteration begins with besides its image.

    Attributes
    ----------
    parameters : Mapping[str, Array]
        By layer and name, ``conv1.w``; read-only.
    optimiser_state : Mapping[str, OptimiserState]
        What the optimiser remembers of each.
    """

    parameters: Mapping[str, Array]
    optimiser_state: Mapping[str, OptimiserState]

    @property
    def nbytes(self) -> int:
        """About how much memory they take."""
        kept = [
            *self.parameters.values(),
            *(part for of in self.optimiser_state.values() for part in of.values()),
        ]
        return sum(values.nbytes + _ARRAY_BYTES for values in kept)


class Run:
    """A network in training: what it has learnt so far, and everything needed to see how.

    Iterations are numbered from 0. Number t begins with the parameters that t − 1 left, sees the images
    `images_of` (t), and leaves new ones. Nothing is drawn at random here: the same network, images and order
    give the same numbers to the last bit.

    As soon as the parameters of all iterations done take more than `MOST_BYTES`, only those of every second
    are kept, then of every fourth, and so on; the ones between are computed again from there.

    Parameters
    ----------
    network : Network
        With a loss and an optimiser; it is not changed.
    sample : Callable[[int], Sample]
        Gives an image and its target by the image's number; of several inputs or outputs, each by name.
    order : NDArray of int
        The images to learn from, in the order in which they come; after the last, the first comes again.
    held_out : NDArray of int
        The images that accuracy is measured on; none, if it is not measured.
    iterations : int
        How many there are.
    measure : int
        Accuracy is measured before every iteration whose number this divides, and after the last.
    batch_size : int
        How many images each iteration sees.

    Attributes
    ----------
    done : int
        How many iterations have been computed.
    every : int
        Of every how many of them the parameters are kept.
    losses : Array
        The loss of each iteration, (iterations,); NaN where it is yet to come.
    accuracies : dict[int, float]
        The part of the held-out images, 0 to 1, that was classified correctly before an iteration.
    fault : str
        Why training cannot go on, one sentence; empty as long as it can.
    """

    def __init__(
        self,
        network: Network,
        sample: Callable[[int], Sample],
        order: NDArray[np.integer],
        held_out: NDArray[np.integer],
        iterations: int,
        measure: int = 100,
        batch_size: int = 1,
    ) -> None:
        if network.loss is None or network.optimiser is None:
            raise CnnvizError(tr("The network has no loss or no optimiser; give it both to train it."))
        self._sample, self.order, self.held_out = sample, order, held_out
        self.iterations, self.measure, self.batch_size = iterations, measure, batch_size
        self._kept, self._network = {0: _weights(network)}, network
        self.reset()

    def reset(self) -> None:
        """Forget all that was learnt: the same training can begin again."""
        first = self._kept[0]
        self._kept, self._network = {0: first}, _holding(self._network, first, 0)
        self.done, self.fault, self.every = 0, "", 1
        self.losses = np.full(self.iterations, np.nan)
        self.accuracies: dict[int, float] = {}

    @property
    def reached(self) -> int:
        """The iteration whose parameters are the newest that there are."""
        return self.done - 1 if self.fault else self.done

    @property
    def last(self) -> int:
        """The last iteration that can be stepped: the one to come, if there is one."""
        return min(self.reached, self.iterations - 1)

    @property
    def nbytes(self) -> int:
        """About how much memory the parameters of past iterations take."""
        return len(self._kept) * self._kept[0].nbytes

    @property
    def in_nats(self) -> bool:
        """Whether its loss is a negative log-likelihood, which has a unit."""
        return self._network.loss is not None and self._network.loss.in_nats

    def image_of(self, iteration: int) -> int:
        """Return the number of the image that an iteration sees; of several, that of the first."""
        return self.images_of(iteration)[0]

    def images_of(self, iteration: int) -> list[int]:
        """Return the numbers of the images that an iteration sees."""
        first = iteration * self.batch_size
        return [int(self.order[k % len(self.order)]) for k in range(first, first + self.batch_size)]

    def is_same_as(self, other: Run) -> bool:
        """Return whether another training gives the same numbers to the last bit, however far either is."""
        own, other_own = ((one.iterations, one.measure, one.batch_size) for one in (self, other))
        if own != other_own:
            return False
        if not (np.array_equal(self.order, other.order) and np.array_equal(self.held_out, other.held_out)):
            return False
        images = {int(k) for k in (*self.order, *self.held_out)}
        seen = ((self._sample(k), other._sample(k)) for k in images)
        if not all(_is_same(x, y) for one, two in seen for x, y in zip(one, two, strict=True)):
            return False
        if self._lots() != other._lots():
            return False
        first, others = self._first_calls(), other._first_calls()
        return len(first) == len(others) and all(map(_is_same_call, first, others))

    def _lots(self) -> list[dict[str, object]]:
        """Return all arguments of the layers that draw by lot, in every iteration anew."""
        return [vars(layer) for layer in self._network.layers if layer.drawn_names]

    def _first_calls(self) -> list[Call]:
        """Return all that the first iteration computes."""
        network = self.network_at(0)
        return network.calls(network.run(*self._sample(self.image_of(0))))

    def work(self, until: int | None = None) -> Iterator[None]:
        """Train until so many iterations are done, or to the end, a few milliseconds at a time.

        It yields after every iteration and every few held-out images. Whoever asks no more has paused it;
        what is done is kept, and another call goes on from there. When the numbers grow out of bounds, it
        ends, and `fault` says why.
        """
        end = self.iterations if until is None else min(until, self.iterations)
        while self.done < end and not self.fault:
            turn = self.done
            yield from self._measure(turn)
            if self.done == turn and not self.fault:  # or somebody else went on meanwhile
                self._iterate()
            yield
        if not self.fault:
            yield from self._measure(self.done)

    def network_at(self, iteration: int) -> Network:
        """Return the network as it is before an iteration: a copy of its own.

        Raises
        ------
        CnnvizError
            If training has not come so far, or never will.
        """
        if not 0 <= iteration <= self.reached:
            raise CnnvizError(
                tr(
                    "Iteration {iteration} has not been reached; there are 0 to {last}.",
                    iteration=iteration,
                    last=self.last,
                )
            )
        if iteration == self.reached:
            return _holding(self._network, _held(self._network), iteration)
        kept = iteration - iteration % self.every
        network = _holding(self._network, self._kept[kept], kept)
        for t in range(kept, iteration):
            self._train(network, t)
        return network

    def _train(self, network: Network, iteration: int) -> float:
        """Move a network's parameters by an iteration, and return its loss."""
        x, t = stacked(self._sample(image) for image in self.images_of(iteration))
        assert t is not None
        with np.errstate(all="ignore"):
            return network.train_step(x, t)

    def _iterate(self) -> None:
        t, network = self.done, copy(self._network)
        self.losses[t], self.done = self._train(network, t), t + 1
        self.fault = self._out_of_bounds(t, network)
        if not self.fault:
            self._network = network
            if (t + 1) % self.every == 0:
                self._keep(t + 1, _held(network))

    def _keep(self, iteration: int, weights: Weights) -> None:
        self._kept[iteration] = weights
        while len(self._kept) > 1 and self.nbytes > MOST_BYTES:
            self.every *= 2
            self._kept = {t: held for t, held in self._kept.items() if t % self.every == 0}

    def _out_of_bounds(self, t: int, network: Network) -> str:
        """Return what to say if an iteration gave numbers that nothing can be computed with."""
        assert self._network.optimiser is not None
        loss = float(self.losses[t])
        if not isfinite(loss):
            what = tr("its loss is NaN") if isnan(loss) else tr("its loss is infinite")
        elif not tame(*network.parameters.values()) and not all(
            np.isfinite(values).all() for values in network.parameters.values()
        ):
            what = tr("its update is not finite")
        else:
            return ""
        return tr(
            "Training has diverged at iteration {t}: {what}; take a learning rate smaller than {lr:g}. "
            "Iterations 0 to {t} can be stepped.",
            t=t,
            what=what,
            lr=self._network.optimiser.rate(t + 1),
        )

    def _measure(self, iteration: int) -> Iterator[None]:
        """Measure the accuracy before an iteration if its turn has come, a few images at a time."""
        turn = iteration % self.measure == 0 or iteration == self.iterations
        if not turn or iteration in self.accuracies or not len(self.held_out):
            return
        network, right = self.network_at(iteration), 0
        numbers = sum(prod(shape) for shape in network.shapes.values())
        at_once = max(1, min(_AT_ONCE, _NUMBERS_AT_ONCE // numbers))
        for start in range(0, len(self.held_out), at_once):
            x, t = stacked(self._sample(int(k)) for k in self.held_out[start : start + at_once])
            assert isinstance(t, np.ndarray)  # of one output, whose targets are classes
            with np.errstate(all="ignore"):
                y = network.forward(x)
            right += int((_classes(y) == _classes(t)).sum())
            yield
        self.accuracies[iteration] = right / len(self.held_out)


def stacked(samples: Iterable[tuple[Named, Named | None]]) -> tuple[Named, Named | None]:
    """Return several samples and their targets, if there are any, as a batch of each."""
    xs, ts = zip(*samples, strict=True)
    return _stacked(xs), None if ts[0] is None else _stacked(ts)


def _stacked(each: Sequence[Named]) -> Named:
    if isinstance(each[0], Mapping):
        return {name: _stacked([one[name] for one in each]) for name in each[0]}  # type: ignore[call-overload,misc]
    return np.array(each, np.float64)


def _is_same(one: Named, other: Named) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
    return np.array_equal(one, other)  # type: ignore[arg-type]


def running_mean(values: Array, window: int) -> Array:
    """Return the mean of each value and those before it, `window` of them where there are so many."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    k = np.arange(1, len(sums))
    first = np.maximum(k - window, 0)
    return np.asarray((sums[k] - sums[first]) / (k - first))


def _classes(y: Array) -> NDArray[np.integer]:
    """Return the class that each output or target of a batch stands for; one output is a yes or no."""
    return np.asarray(y[:, 0] > 0.5, np.intp) if y.shape[1] == 1 else y.argmax(axis=1)


def _is_same_call(one: Call, other: Call) -> bool:
    """Return whether two calls compute the same, and so have the same results."""
    if (one.name, one.listing, one.given.keys()) != (other.name, other.listing, other.given.keys()):
        return False
    return all(np.array_equal(value, other.given[name]) for name, value in one.given.items())


def _weights(network: Network) -> Weights:
    assert network.optimiser is not None
    parameters = {key: values.astype(np.float64) for key, values in network.parameters.items()}
    return Weights(parameters, {key: network.optimiser.start(parameters[key]) for key in network.moving})


def _holding(network: Network, weights: Weights, iteration: int) -> Network:
    """Return a copy of a network that holds other weights, about to begin an iteration."""
    made = copy(network)
    made.parameters, made.optimiser_state = dict(weights.parameters), dict(weights.optimiser_state)
    made.iteration = iteration + 1
    return made


def _held(network: Network) -> Weights:
    return Weights(network.parameters, network.optimiser_state)
