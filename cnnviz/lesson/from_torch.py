"""Lessons of PyTorch's modules, where the user has PyTorch: it exports them, and the file is opened."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.errors import CnnvizError
from cnnviz.files import safe_name
from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.lesson.source import Source
from cnnviz.text import tr


def from_torch(module: Any, example: Any, label: int | None = None) -> Lesson:
    """Return the lesson of a module of PyTorch, on an example of what goes in.

    Parameters
    ----------
    module : torch.nn.Module
        It is exported as it is in inference mode, by ``torch.export``; it stays as it is.
    example : torch.Tensor
        What goes in, with the axis of samples first.
    label : int, optional
        The class that should come out, from 0; then the network goes backward, too.

    Raises
    ------
    CnnvizError
        If it cannot be exported, or something in it cannot be stepped; the sentence says what.
    """
    import torch

    folder = Path(tempfile.mkdtemp(prefix="cnnviz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path, given = folder / f"{safe_name(type(module).__name__)}.pt2", folder / "input.npy"
    trained = [part for part in module.modules() if part.training]
    try:
        module.eval()
        torch.export.save(torch.export.export(module, (example,)), path)
    except CnnvizError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise CnnvizError(
            tr("{name} cannot be exported by PyTorch ({reason}).", name=type(module).__name__, reason=reason)
        ) from error
    finally:
        for part in trained:
            part.training = True
    np.save(given, example.detach().cpu().numpy())
    return load_lesson(str(Source(str(path), input=str(given), label="" if label is None else str(label))))
