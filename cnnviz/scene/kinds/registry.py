"""Which picture shows which listing; the generic one shows any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cnnviz.scene.kinds import (
    conv2d,
    conv2d_scatter,
    descent,
    elementwise,
    flatten,
    generic,
    graph,
    image,
    linear,
    outputs,
    pooling,
    update,
)
from cnnviz.scene.marks import Box, Mark
from cnnviz.scene.moment import Moment

Picture = Callable[[Moment, Box, float], list[Mark]]

PICTURES: Mapping[str, Picture] = {
    "read_pixels": image.picture,
    "conv2d": conv2d.forward,
    "conv2d_dw": conv2d.kernel_gradient,
    "conv2d_db": conv2d.bias_gradient,
    "conv2d_dx": conv2d.input_gradient,
    "conv2d_dx_scatter": conv2d_scatter.picture,
    "max_pool2d": pooling.forward,
    "max_pool2d_dx": pooling.backward,
    "avg_pool2d": pooling.forward,
    "avg_pool2d_dx": pooling.backward,
    "flatten": flatten.forward,
    "flatten_dx": flatten.backward,
    "linear": linear.forward,
    "linear_dw": linear.weight_gradient,
    "linear_db": linear.bias_gradient,
    "linear_dx": linear.input_gradient,
    **{f"{kind}{shape}": elementwise.forward for kind in elementwise.FUNCTIONS for shape in ("", "_column")},
    **{
        f"{kind}{shape}_dx": elementwise.backward
        for kind in elementwise.FUNCTIONS
        for shape in ("", "_column")
    },
    "softmax": outputs.picture,
    "softmax_dx": outputs.picture,
    "half_squared_error": outputs.picture,
    "half_squared_error_dy": outputs.picture,
    "mean_squared_error": outputs.picture,
    "mean_squared_error_dy": outputs.picture,
    "hinge": outputs.picture,
    "hinge_dy": outputs.picture,
    "cross_entropy": outputs.picture,
    "cross_entropy_of_scores": outputs.picture,
    "cross_entropy_dx": outputs.picture,
    "binary_cross_entropy": outputs.picture,
    "binary_cross_entropy_of_scores": outputs.picture,
    "binary_cross_entropy_dx": outputs.picture,
    "sgd": update.picture,
    "sgd_momentum": update.picture,
    "adam": update.picture,
    "forward": graph.picture,
    "backward": graph.picture,
    "descent": descent.picture,
}


def picture_of(listing: str) -> Picture:
    """Return the picture of a listing, by its function's name."""
    return PICTURES.get(listing, generic.picture)
