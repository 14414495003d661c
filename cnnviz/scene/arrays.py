"""What an array is to the readers of an operation: its symbol, its role, and whose gradient it is."""

from __future__ import annotations

from collections.abc import Mapping

from cnnviz.engine.address import node_of
from cnnviz.engine.port import Port
from cnnviz.engine.wiring import INPUT
from cnnviz.scene.letters import GREEK, letter
from cnnviz.scene.marks import Role
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache


def symbol(operation: Operation, name: str) -> str:
    """Return how an array's name is written for readers: ∂E/∂w for ``dw``."""
    port = operation.call.port(name)
    if port.gradient_of and operation.tree.arrays:
        return f"{over(port)}{letter(port.symbol)}"
    return GREEK.get(name, name)


def over(port: Port) -> str:
    """Return how the name of a gradient begins: ``∂E/∂``, or ``∂E⁽²⁾/∂`` where it is of one loss alone."""
    return f"∂{letter(port.loss or 'E')}/∂"


@lasting_cache(1024)
def role(operation: Operation, name: str) -> Role:
    """Return what an array is to an operation: ``written``, ``parameter`` or ``source``."""
    port = operation.call.port(name)
    if port.role == "source" and port.gradient_of and _weighs_another(operation, name):
        return "parameter"
    return _ROLES[port.role]


def _weighs_another(operation: Operation, name: str) -> bool:
    """Return whether a gradient stands beside what the layer was given, which has the sources' colour."""
    ports = [operation.call.port(other) for other in operation.tree.arrays if other != name]
    return any(
        port.role == "source" and not port.gradient_of and port.node != operation.layer for port in ports
    )


_ROLES: Mapping[str, Role] = {
    "source": "source",
    "parameter": "parameter",
    "target": "parameter",
    "result": "written",
    "auxiliary": "written",
}


def gradient_to(operation: Operation, name: str) -> str:
    """Say whose gradient an array is, of several that an operation computes; empty of the only one."""
    call = operation.call
    nodes = [node_of(call.port(other).gradient_of) for other in call.writes]
    if len(nodes) < 2 or not all(nodes):
        return ""
    node = node_of(call.port(name).gradient_of)
    return tr("to {layer}", layer=tr("the input") if node == INPUT else node)
