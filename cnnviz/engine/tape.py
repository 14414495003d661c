"""Every array of one iteration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cnnviz.engine.address import split
from cnnviz.engine.layer import Array


class Tape(Mapping[str, Array]):
    """The arrays of one iteration by name, read-only: ``conv1.x``, ``conv1.w``, ``conv1.y``, ``conv1.dw``, ….

    A parameter after the update is ``conv1.w_new``; the loss is ``loss.value``, its target ``loss.t``.
    Arrays of one sample have no batch axis.

    Attributes
    ----------
    iteration : int
        The number of the iteration, from 1; Adam's update needs it.
    of_samples : frozenset[str]
        Where several samples went through together, the arrays that each has for itself: their first axis
        counts the samples.
    samples : int
        How many; 0 where it was one by itself.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array],
        iteration: int = 1,
        of_samples: frozenset[str] = frozenset(),
        samples: int = 0,
    ) -> None:
        self.iteration, self.of_samples, self.samples = iteration, of_samples, samples
        self._arrays: dict[str, Array] = {}
        self._by_layer: dict[str, dict[str, Array]] = {}
        for name, values in arrays.items():
            frozen = values.view()
            frozen.flags.writeable = False
            self._arrays[name] = frozen
            layer, own = split(name)
            self._by_layer.setdefault(layer, {})[own] = frozen

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def loss(self) -> float:
        """The loss; of several samples, the mean of theirs."""
        return float(self["loss.mean" if self.samples else "loss.value"])

    def of(self, layer: str) -> dict[str, Array]:
        """Return one layer's arrays by their short names, ``x``, ``w``, ``y`` and so on."""
        return dict(self._by_layer.get(layer, {}))

    def sample(self, number: int) -> Tape:
        """Return the arrays of one of the samples that went through together."""
        return Tape(
            {
                name: values[number, ...] if name in self.of_samples else values
                for name, values in self._arrays.items()
            },
            self.iteration,
        )
