"""How each kind of node becomes layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cnnviz.formats.graph import Node
from cnnviz.formats.rewriter import Rewriter
from cnnviz.formats.rules import cells, columns, joining, moving, windows

Rule = Callable[[Rewriter, Node], None]

RULES: Mapping[str, Rule] = {
    "Conv": windows.conv,
    "ConvTranspose": windows.conv_transpose,
    "MaxPool": lambda rewriter, node: windows.pool("max_pool2d", rewriter, node),
    "AveragePool": lambda rewriter, node: windows.pool("avg_pool2d", rewriter, node),
    "GlobalAveragePool": lambda rewriter, node: windows.global_pool("avg_pool2d", rewriter, node),
    "GlobalMaxPool": lambda rewriter, node: windows.global_pool("max_pool2d", rewriter, node),
    "AdaptiveAveragePool": windows.adaptive_pool,
    "ReduceMean": windows.mean,
    "Gemm": columns.gemm,
    "MatMul": columns.matmul,
    "BatchNormalization": columns.batch_norm,
    "LayerNormalization": columns.layer_norm,
    "GroupNormalization": columns.group_norm,
    "LRN": columns.local_response_norm,
    "TorchLRN": columns.local_response_norm,
    "Clip": cells.clip,
    "LeakyRelu": cells.each("leaky_relu", alpha="alpha"),
    "Elu": cells.each("elu", alpha="alpha"),
    "Gelu": cells.gelu,
    "Softplus": cells.each("softplus", beta="beta", threshold="threshold"),
    "HardSigmoid": cells.hard_sigmoid,
    "TorchHardSigmoid": cells.hard_sigmoid,
    **{
        kind: cells.each(layer)
        for kind, layer in {
            **{"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Silu": "silu"},
            **{"HardSwish": "hard_swish"},
        }.items()
    },
    "Softmax": lambda rewriter, node: cells.softmax("softmax", rewriter, node),
    "LogSoftmax": lambda rewriter, node: cells.softmax("log_softmax", rewriter, node),
    "Add": joining.add,
    "Mul": joining.multiply,
    "Sub": joining.multiply,
    "Div": joining.multiply,
    "Concat": joining.concat,
    "Identity": moving.same,
    "Cast": moving.same,
    "Dropout": moving.dropout,
    "Shape": moving.shape,
    "Transpose": moving.transpose,
    "Reshape": moving.reshape,
    "Flatten": moving.flatten,
    "Squeeze": moving.squeeze,
    "Unsqueeze": moving.unsqueeze,
    "Pad": moving.pad,
    "Resize": moving.resize,
}
"""By the kinds of nodes."""

ALIASES = {"Sum": "Add", "Swish": "Silu", "Upsample": "Resize", "CastLike": "Cast"}

UNSTEPPABLE: Mapping[str, str] = {
    "If": "which of its branches is taken is decided by numbers; export it with one of them alone",
    "Loop": "how often it goes round is decided by numbers; export it with the rounds written out",
    "Scan": "how often it goes round is decided by numbers; export it with the rounds written out",
}
"""Why there can be no rule for some kinds of nodes."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "BatchNormalization": ("batch_norm",),
    "LayerNormalization": ("layer_norm",),
    "GroupNormalization": ("group_norm",),
    "LRN": ("local_response_norm",),
    "TorchLRN": ("local_response_norm",),
    "Conv": ("conv2d",),
    "ConvTranspose": ("conv_transpose2d",),
    "MaxPool": ("max_pool2d",),
    "AveragePool": ("avg_pool2d",),
    "Gemm": ("linear",),
    "MatMul": ("linear",),
    "Elu": ("elu",),
    "HardSigmoid": ("hard_sigmoid",),
    "TorchHardSigmoid": ("hard_sigmoid",),
    "Silu": ("silu",),
    "Gelu": ("gelu",),
    "HardSwish": ("hard_swish",),
    "Softplus": ("softplus",),
    "LogSoftmax": ("log_softmax",),
    "Concat": ("concat",),
    "Resize": ("upsample",),
}
"""The layers one of which there must be for a kind of node."""
