"""Lesson files made for one test."""

import copy
import json

import numpy as np
import pytest

IMAGES = np.arange(2 * 1 * 4 * 4, dtype=np.uint8).reshape(2, 1, 4, 4)

LESSON = {
    "title": "A small net",
    "sentence": "It is small.",
    "seed": 1,
    "input": {"shape": [1, 4, 4], "images": "images.npz", "scale": 32},
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 2, "kernel": 3},
        {"name": "flatten", "kind": "flatten"},
        {"name": "fc", "kind": "linear", "neurons": 3},
        {"name": "softmax", "kind": "softmax"},
    ],
    "loss": {"kind": "cross_entropy"},
    "optimiser": {"kind": "sgd", "lr": 0.1},
}


@pytest.fixture
def content():
    """What a right file says, to be spoilt."""
    return copy.deepcopy(LESSON)


@pytest.fixture
def write(tmp_path):
    """Write a lesson file, from text or tables, and its images beside it; return its path."""

    def write(said, images=IMAGES, labels=(0, 2), **others):
        held = {"images": images, **({} if labels is None else {"labels": np.asarray(labels)}), **others}
        np.savez(tmp_path / "images.npz", **held)
        path = tmp_path / "lesson.toml"
        path.write_text(said if isinstance(said, str) else toml(said), encoding="utf-8")
        return path

    return write


def toml(tables):
    """Write tables as TOML: each value inline, which is all that a test needs."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in tables.items())


def _value(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_value(inner)}' for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
