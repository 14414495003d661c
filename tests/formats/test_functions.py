"""ONNX files with functions of their own are what they are with these written out."""

import numpy as np
import pytest

from cnnviz import CnnvizError, load_lesson
from cnnviz.formats.graph import Graph, Node
from cnnviz.formats.rewrite import rewrite
from cnnviz.lesson.opened import Known
from tests.formats.test_readers import varint


def field(number, content):
    """Return a field of a message: a whole number, a text or bytes."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def node(kind, inputs, outputs, *attributes, domain="", name=""):
    made = b"".join(field(1, one) for one in inputs) + b"".join(field(2, one) for one in outputs)
    return (
        made + field(3, name) + field(4, kind) + field(7, domain) + b"".join(field(5, a) for a in attributes)
    )


def number(name, value):
    return field(1, name) + varint(2 << 3 | 5) + np.float32(value).tobytes() + field(20, 1)


def referring(name, to):
    return field(1, name) + field(20, 1) + field(21, to)


def function(name, inputs, outputs, nodes, *defaults):
    made = field(1, name) + field(10, "my") + b"".join(field(4, one) for one in inputs)
    made += b"".join(field(5, one) for one in outputs) + b"".join(field(7, one) for one in nodes)
    return made + b"".join(field(11, one) for one in defaults) + field(9, field(2, 17))


def tensor(name, values):
    sizes = b"".join(field(1, size) for size in values.shape)
    return sizes + field(2, 1) + field(8, name) + field(9, values.tobytes())


def model(tmp_path, nodes, functions, arrays=()):
    def info(name):
        return field(1, name) + field(
            2, field(1, field(1, 1) + field(2, field(1, field(1, 1)) + field(1, field(1, 3))))
        )

    tensors = [tensor(*one) for one in arrays]
    graph = b"".join(field(1, one) for one in nodes) + b"".join(field(5, one) for one in tensors)
    graph += field(11, info("x")) + field(12, info("y"))
    path = tmp_path / "net.onnx"
    path.write_bytes(field(7, graph) + field(8, field(2, 17)) + b"".join(field(25, one) for one in functions))
    return path


def test_functions_are_written_out_where_they_are_called(tmp_path):
    """One calls another; calls may be called alike; an attribute is the call's, or the function's own."""
    leaky = function(
        "leaky",
        ("a",),
        ("b",),
        (node("LeakyRelu", ("a",), ("b",), referring("alpha", "slope")),),
        number("slope", 0.25),
    )
    layer = function(
        "layer",
        ("x", "w"),
        ("out",),
        (
            node("MatMul", ("x", "w"), ("inner",), name="product"),
            node("leaky", ("inner",), ("out",), referring("slope", "s"), domain="my", name="act"),
        ),
    )
    w = np.arange(9, dtype=np.float32).reshape(3, 3) - 4
    nodes = (
        node("layer", ("x", "w"), ("h",), number("s", 0.5), domain="my", name="call"),
        node("layer", ("h", "w"), ("y",), domain="my", name="call"),
    )
    lesson = load_lesson(
        model(tmp_path, nodes, (leaky, layer), [("w", w)]), input=np.array([[1.0, -2.0, 3.0]])
    )
    kinds = [layer.kind for layer in lesson.network.layers]
    assert kinds == ["linear", "leaky_relu", "linear", "leaky_relu"]

    def squashed(z, slope):
        return np.where(z > 0, z, slope * z)

    wanted = squashed(squashed(np.array([1.0, -2.0, 3.0]) @ w, 0.5) @ w, 0.25)
    assert np.allclose(lesson.tape[f"{lesson.network.layers[-1].name}.y"], wanted, rtol=1e-12)
    assert "call/product" in lesson.description.origins.values()


def test_a_function_that_calls_itself_is_refused(tmp_path):
    endless = function("endless", ("a",), ("b",), (node("endless", ("a",), ("b",), domain="my"),))
    path = model(tmp_path, (node("endless", ("x",), ("y",), domain="my"),), (endless,))
    with pytest.raises(CnnvizError, match=r"net\.onnx: its function my\.endless calls itself\."):
        load_lesson(path)


def test_functions_that_call_more_and_more_are_refused_in_time(tmp_path):
    """Each calls the next one twice: 2⁴⁰ nodes in two thousand bytes."""
    functions = [
        function(f"f{k}", ("a",), ("b",), [node(f"f{k + 1}", ("a",), ("b",), domain="my")] * 2)
        for k in range(40)
    ]
    path = model(tmp_path, (node("f0", ("x",), ("y",), domain="my"),), functions)
    with pytest.raises(CnnvizError, match=r"net\.onnx: it has (10,001 nodes|more than)"):
        load_lesson(path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("If", "which of its branches is taken"), ("Loop", "how often it goes"), ("Scan", "how often")],
)
def test_what_numbers_decide_cannot_be_stepped_and_says_why(kind, said):
    nodes = Node("Relu", "relu", ("x",), ("h",)), Node(kind, "node", ("h",), ("y",))
    (fault,) = rewrite(Graph(nodes, {}, {"x": (1, 5)}, ("y",)), Known()).faults
    assert said in fault.reason and "export it with" in fault.reason
