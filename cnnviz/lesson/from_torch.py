"""Lessons of PyTorch's modules, where the user has PyTorch: it exports them, and the file is opened."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.errors import CnnvizError
from cnnviz.files import safe_name
from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.lesson.source import Source
from cnnviz.text import tr


def from_torch(module: Any, example: Any, target: Any = None) -> Lesson:
    """Return the lesson of a module of PyTorch, on an example of what goes in.

    It is exported by ``torch.export``, in the mode that it is in, and stays as it is. In training mode, as
    ``module.train()`` makes it, the samples of the example go through together: batch norms take their mean
    and variance, and dropouts draw masks of their own once there is a target. After ``module.eval()`` samples
    go through one by one.

    Parameters
    ----------
    module : torch.nn.Module
        What is to be stepped.
    example : torch.Tensor or Sequence[torch.Tensor]
        What goes in, with the axis of samples first; of several inputs, each in the order of ``forward``.
    target : int, Sequence[int] or torch.Tensor, optional
        What should come out; then the network goes backward, too. Whole numbers are classes, from 0, one for
        each sample; others are outputs, of the shape that comes out.

    Raises
    ------
    CnnvizError
        If it cannot be exported, or something in it cannot be stepped; the sentence says what.
    """
    import torch

    folder = Path(tempfile.mkdtemp(prefix="cnnviz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / f"{safe_name(type(module).__name__)}.pt2"
    examples = tuple(example) if isinstance(example, list | tuple) else (example,)
    if not all(isinstance(one, torch.Tensor) for one in examples):
        raise CnnvizError(tr("example: must be a tensor, or a tuple with one for each input."))
    try:
        exported = torch.export.export(module, examples)
        torch.export.save(exported, path)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise CnnvizError(
            tr("{name} cannot be exported by PyTorch ({reason}).", name=type(module).__name__, reason=reason)
        ) from error
    given = {}
    for name, values in zip(exported.graph_signature.user_inputs, examples, strict=True):
        given[name] = f"{folder / name}.npy"
        np.save(given[name], values.detach().cpu().numpy())
    named = ";".join(f"{name}={file}" for name, file in given.items())
    source = Source(str(path), input=named if len(given) > 1 else next(iter(given.values())))
    if target is None:
        return load_lesson(str(source))
    wanted = torch.as_tensor(target).detach().cpu().numpy()
    if wanted.dtype.kind in "iu":
        label = ",".join(map(str, wanted.reshape(-1).tolist()))
        return load_lesson(str(replace(source, label=label)))
    np.save(folder / "target.npy", wanted)
    return load_lesson(str(replace(source, target=str(folder / "target.npy"))))
