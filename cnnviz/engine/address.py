"""How the name of an array in the network is made and read: here, and nowhere else.

An **address** is a node and a name, ``relu1.y``; a tape holds arrays by them. The node is a layer, a loss, an
input of the network, or what else computes; the name is what its listings call the array. The gradient of an
array is called like it, behind a d: ``conv1.dw`` is that of ``conv1.w``.
"""

from __future__ import annotations

OUTPUT = "y"
"""What every layer calls its output, and an input of the network itself."""

_GRADIENT, _UPDATED = "d", "_new"


def address_of(node: str, name: str) -> str:
    """Return the address of what a node calls by a name."""
    return f"{node}.{name}"


def split(address: str) -> tuple[str, str]:
    """Return the node and the name of an address."""
    node, _, name = address.partition(".")
    return node, name


def node_of(address: str) -> str:
    """Return the node of an address."""
    return split(address)[0]


def name_of(address: str) -> str:
    """Return what the node of an address calls the array."""
    return split(address)[1]


def output_of(node: str) -> str:
    """Return the address of a node's output."""
    return address_of(node, OUTPUT)


def output_gradient_of(node: str) -> str:
    """Return the address of the gradient of a node's output, where it has one of its own."""
    return gradient_of(output_of(node))


def layer_of(address: str) -> str:
    """Return the layer, or the input of the network, whose output an address is; empty if it is none's."""
    node, name = split(address)
    return node if name == OUTPUT else ""


def gradient_name(name: str) -> str:
    """Return what listings call the gradient of an array: dw, of w."""
    return _GRADIENT + name


def differentiated(name: str) -> str:
    """Return the name whose gradient would be called so: w, for dw; empty if none would."""
    return name[len(_GRADIENT) :] if name.startswith(_GRADIENT) else ""


def gradient_of(address: str) -> str:
    """Return the address of the gradient of what a node calls its own: ``conv1.dw``, of ``conv1.w``."""
    node, name = split(address)
    return address_of(node, gradient_name(name))


def value_of(loss: str) -> str:
    """Return the address of what a loss comes to: ``loss.value``."""
    return address_of(loss, "value")


def mean_of(loss: str) -> str:
    """Return the address of the mean of what a loss comes to for several samples: ``loss.mean``."""
    return address_of(loss, "mean")


def updated(address: str) -> str:
    """Return the address of what an update puts in an array's place: ``conv1.w_new``."""
    return address + _UPDATED


def state_of(parameter: str, part: str) -> str:
    """Return the address of a part of an optimiser's state for a parameter: ``conv1.w_v``."""
    return f"{parameter}_{part}"
