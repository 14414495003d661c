"""A typed expression as a computational graph, with a forward and a backward listing made from it.

What is typed is parsed and checked against a short list of what there may be; it is never run. The
listings are written anew from the graph, and only they are compiled.
"""

from cnnviz.engine.expression.graph import RESULT, Edge, Graph, Node, Statement
from cnnviz.engine.expression.reader import (
    DEEPEST,
    LONGEST,
    MOST_NODES,
    is_expression,
    read_expression,
    read_typed,
    syntax_of,
)
from cnnviz.engine.functions import FUNCTIONS

__all__ = [
    "DEEPEST",
    "FUNCTIONS",
    "LONGEST",
    "MOST_NODES",
    "RESULT",
    "Edge",
    "Graph",
    "Node",
    "Statement",
    "is_expression",
    "read_expression",
    "read_typed",
    "syntax_of",
]
