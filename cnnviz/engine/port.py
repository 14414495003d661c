"""What an array of a listing stands for: its address in the network, and how it lies in what is there."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cnnviz.engine.address import node_of
from cnnviz.engine.placement import Placement

Role = Literal["source", "parameter", "target", "result", "auxiliary"]
"""What an array is to the operation that names it."""


class Port(Struct, frozen=True):
    """An array as one listing names it, and what it stands for.

    Attributes
    ----------
    address : str
        Where the network keeps it: ``relu1.y`` for what conv2 calls x. Addresses are the names on a tape.
    role : Role
        ``source`` of what is read, ``parameter``, ``target``, ``result``; ``auxiliary`` of what is written
        beside the result, as a pool's switches are.
    symbol : str
        The letter that a lecturer writes for it, or for what it is the gradient of: w of ``dw``.
    gradient_of : str
        The address of that of which it is the gradient; empty of what is none.
    loss : str
        Of one of several losses, and of its gradient by itself, not yet times its weight: what the loss is
        called in the sum, E2. Empty of all else.
    before : str
        Of what an update replaces, the address of what was there.
    placement : Placement or None
        How the array at the address lies in the listing's, if zeros are put around or between its numbers.
    """

    address: str
    role: Role
    symbol: str
    gradient_of: str = ""
    before: str = ""
    placement: Placement | None = None
    loss: str = ""

    @property
    def node(self) -> str:
        """The layer that the array belongs to; ``input`` for what goes into the network."""
        return node_of(self.address)
