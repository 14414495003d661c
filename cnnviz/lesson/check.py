"""Finds every fault of a lesson file at once, and says each with its path: ``layers[2].kernel: …``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from cnnviz.engine.expression import read_typed
from cnnviz.errors import CnnvizError
from cnnviz.lesson.bounds import MOST_EXPRESSIONS
from cnnviz.lesson.network import build_layers
from cnnviz.lesson.reader import AT_THE_TOP, ArraysBeside, Reader, misplaced, written
from cnnviz.lesson.tables import (
    OF_ALL_INPUTS,
    AnyFile,
    DescentFile,
    ExpressionFile,
    LessonFile,
    NetworkFile,
    PicturesFile,
)
from cnnviz.lesson.values import hint, shown
from cnnviz.text import tr

_NO_INPUTS = ("at", "label", "loss", "optimiser", "output_gradient", "schedule", "schedules", "target")
"""What changes and places call something else than an input."""


def check(content: Mapping[str, Any], arrays: ArraysBeside | None = None) -> tuple[AnyFile | None, list[str]]:
    """Return what a parsed lesson file says, or None and all that is wrong with it.

    Parameters
    ----------
    arrays : ArraysBeside, optional
        Reads arrays that stand in a file beside it.
    """
    table: type[AnyFile]
    if "images" in content:
        table, across = PicturesFile, list(_iterations(content))
    elif "descents" in content:
        table, across = DescentFile, [*_names_used_twice(content, "descents"), *_iterations(content)]
    elif "expressions" in content:
        table, across = ExpressionFile, list(_values_and_names(content))
    else:
        content, misplaced = _without_misplaced(content)
        table, across = LessonFile, [*misplaced, *_across(content)]
        if isinstance(content.get("network"), dict):
            table = NetworkFile
            content = {**content["network"], **{key: content[key] for key in content if key != "network"}}
    reader = Reader(arrays)
    first = _first_input(content)
    lesson = reader.read({**content, "input": first} if first else content, table)
    faults = [*(fault for fault in reader.faults if not _told_elsewhere(fault, content)), *across]
    if faults and isinstance(lesson, LessonFile):
        faults += _misfits(lesson, faults)
    return (None, faults) if faults else (lesson, [])


def _misfits(lesson: LessonFile, faults: Sequence[str]) -> list[str]:
    """Find what does not fit among the layers before the first that is wrong in itself."""

    def is_right(place: str) -> bool:
        return not any(fault.startswith((f"{place}:", f"{place}.", f"{place}[")) for fault in faults)

    inputs = ("input.shape", *(f"inputs.{name}" for name in lesson.inputs or {}))
    if not (all(map(is_right, inputs)) and lesson.input and lesson.layers):
        return []
    right = list(takewhile(lambda k: is_right(f"layers[{k}]"), range(len(lesson.layers))))
    parts = [lesson.layers[k] for k in right]
    names = {*lesson.input_shapes, *(part.name for part in parts)}
    try:
        right_parts = list(takewhile(lambda part: names.issuperset(part.inputs), parts))
        build_layers(right_parts, lesson.input_shapes)
    except CnnvizError as error:
        return [str(error)]
    return []


# ------------------------------------------------------------------------------- what stands in another table


def _without_misplaced(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Take out of the parameters, where any name may stand, what belongs to the top of the file."""
    faults = []

    def cleared(table: Mapping[str, Any], path: str) -> dict[str, Any]:
        kept = {}
        for key, value in table.items():
            if key in AT_THE_TOP and isinstance(value, int | str):
                faults.append(misplaced(f"{path}.{key}", key))
            else:
                kept[key] = cleared(value, f"{path}.{written(key)}") if isinstance(value, dict) else value
        return kept

    if not isinstance(content.get("parameters"), dict):
        return content, faults
    return {**content, "parameters": cleared(content["parameters"], "parameters")}, faults


# --------------------------------------------------------------------------- what tables say of one another


def _across(content: Mapping[str, Any]) -> Iterator[str]:
    """Find what is wrong between tables; a value of a wrong type is left to the tables' own check."""
    yield from _names_used_twice(content)
    yield from _unknown_layers(content)
    given = _table(content, "input")
    yield from _several(content)
    has_picture = "file" in _table(given, "picture")
    if (
        given
        and _first_input(content) is None
        and not (has_picture and not {"images", "values"} & set(given))
    ):
        yield from _one_of(given, "input.", ("images", "values"))
    if {"weights", "parameters", "seed"} & set(content):
        yield from _one_of(content, "", ("weights", "parameters", "seed"))
    for key in ("scale", "classes", "array", "labels", "data_format", "label_mode"):
        if (
            key in given
            and "images" not in given
            and not (key == "classes" and ("label" in given or "network" in content))
        ):
            yield tr("{path}: goes with input.images, which is not given", path=f"input.{key}")
    yield from _target(given, "loss" in content, several="losses" in content)
    has_loss = "loss" in content or "losses" in content
    if "optimiser" in content and not has_loss and "output_gradient" not in given:
        yield tr("optimiser: needs a [loss]; add one, or leave it out")
    for key in {"schedule", "schedules"} & set(content) if "optimiser" not in content else ():
        said = tr("{path}: needs an [optimiser], whose learning rate it changes; add one, or leave it out")
        yield said.format(path=key)
    yield from _training(content, given)


def _first_input(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first of several inputs; None where there is one alone."""
    several = _table(content, "inputs")
    first = next(iter(several.values()), None)
    given = _table(content, "input")
    if not _is_of_all(given) or not isinstance(first, dict):
        return None
    return {**{key: value for key, value in first.items() if key != "picture"}, **given}


def _is_one_named_so(content: Mapping[str, Any]) -> bool:
    """Return whether one input stands under the name of several."""
    given = _table(content, "inputs")
    return bool(given) and not any(isinstance(each, dict) for each in given.values())


def _told_elsewhere(fault: str, content: Mapping[str, Any]) -> bool:
    """Return whether a fault need not be told: of several inputs, the first one's is, under its own name."""
    if _is_one_named_so(content):
        return fault.startswith(("input:", "inputs."))
    if _first_input(content) is None or fault.startswith(("input.batch_size", "input.picture")):
        return False
    return fault.startswith(("input.", "input:"))


def _is_of_all(given: Mapping[str, Any]) -> bool:
    """Return whether a table ``[input]`` says no more than what goes for all of several inputs."""
    return given.keys() <= OF_ALL_INPUTS


def _several(content: Mapping[str, Any]) -> Iterator[str]:
    """Find what does not go with several inputs, or with the losses of several outputs."""
    for key, one in (("inputs", "input"), ("losses", "loss"), ("schedules", "schedule")):
        if key in content and one in content and not (one == "input" and _is_of_all(_table(content, one))):
            yield tr("{first}: cannot be given together with {second}", first=key, second=one)
    if _is_one_named_so(content):
        yield tr("inputs: is for several, each in a table with a name, [inputs.left]; for one, write [input]")
        return
    for name in _table(content, "inputs"):
        if not name.isidentifier():
            yield tr("{path}: must be a name, letters, digits and _", path=f"inputs.{written(name)}")
        elif name in _NO_INPUTS:
            yield tr("{path}: has a meaning of its own; call the input otherwise", path=f"inputs.{name}")
    if "inputs" in content and "loss" in content:
        yield tr("loss: with several inputs, write [[losses]], each with the output it is of and its target")


def _training(content: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Find what a training lacks, and what does not go with one."""
    if "training" in content:
        for key in ("loss", "optimiser"):
            if key not in content and not (key == "loss" and "losses" in content):
                yield tr("training: needs [{key}]; add it", key=key)
        if "show" in given:
            yield tr("input.show: the order of the training says which image comes first; leave it out")
    yield from _iterations(content)


def _iterations(content: Mapping[str, Any], under: str = "") -> Iterator[str]:
    """Find stops at iterations that there are not."""
    count, stops = _table(content, "training").get("iterations"), content.get("stops")
    for k, stop in enumerate(stops if isinstance(stops, list) else []):
        at = stop.get("iteration") if isinstance(stop, dict) else None
        if at is not None and "training" not in content:
            yield tr("{path}.iteration: there is no [training]; leave it out", path=f"{under}stops[{k}]")
        elif isinstance(at, int) and isinstance(count, int) and at >= count > 0:
            path = f"{under}stops[{k}]"
            yield tr("{path}.iteration: must be at most {last}, is {at}", path=path, last=count - 1, at=at)


def _values_and_names(content: Mapping[str, Any]) -> Iterator[str]:
    """Find inputs of expressions without a value, values for what is no input, and stops of a training."""
    parts = content["expressions"]
    if not isinstance(parts, list):
        return
    for k, part in enumerate(parts[:MOST_EXPRESSIONS]):
        if not isinstance(part, dict):
            continue
        yield from _iterations(part, f"expressions[{k}].")
        text, values = part.get("text"), part.get("values", {})
        if not isinstance(text, str) or not isinstance(values, dict):
            continue
        try:
            graph, typed = read_typed(text)
            inputs = graph.inputs
        except CnnvizError:  # the tables' own check says it
            continue
        for name in typed:
            if name in values or name not in inputs:
                why = (
                    tr("has a value in the text already")
                    if name in values
                    else tr("is not in the expression")
                )
                yield tr("expressions[{k}].values.{name}: {why}", k=k, name=name, why=why)
        for name in inputs:
            if name not in values and name not in typed:
                yield tr("expressions[{k}].values.{name}: must be given", k=k, name=name)
        for name in values:
            if name not in inputs:
                path = tr("expressions[{k}].values.{name}: is not in the expression", k=k, name=written(name))
                yield path + hint(name, inputs)


def _target(given: Mapping[str, Any], loss: bool, several: bool) -> Iterator[str]:
    told = [key for key in ("target", "label") if key in given]
    if several and told:
        yield tr("input.{key}: each of the [[losses]] has its own target; leave it out", key=told[0])
        return
    if "output_gradient" in given and (loss or several):
        yield tr("input.output_gradient: the [loss] gives one; leave out one of them")
    if "output_gradient" in given and "images" in given:
        yield tr("input.output_gradient: goes with input.values, which is not given")
    if len(told) > 1:
        yield tr("input.label: cannot be given together with input.target")
    elif told and "images" in given:
        yield tr("input.{key}: the labels of the images say it already; leave it out", key=told[0])
    elif told and not loss:
        yield tr("input.{key}: there is no [loss] to compare it with; add one, or leave it out", key=told[0])
    elif {"values", "picture"} & set(given) and "images" not in given and loss and not told:
        yield tr("input.target: must be given, because there is a [loss]")


def _table(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = content.get(key)
    return table if isinstance(table, dict) else {}


def _names_in(content: Mapping[str, Any], key: str) -> Iterator[tuple[int, str]]:
    parts = content.get(key)
    for k, part in enumerate(parts if isinstance(parts, list) else []):
        if isinstance(part, dict) and isinstance(part.get("name"), str):
            yield k, part["name"]


def _names_used_twice(content: Mapping[str, Any], key: str = "layers") -> Iterator[str]:
    seen: dict[str, int] = {}
    for k, name in _names_in(content, key):
        if name in seen:
            said = tr(
                "{key}[{k}].name: {name} is the name of {key}[{other}] already; every {one} needs its own"
            )
            yield said.format(key=key, k=k, name=shown(name), other=seen[name], one=tr(key.removesuffix("s")))
        seen.setdefault(name, k)


def _unknown_layers(content: Mapping[str, Any]) -> Iterator[str]:
    names = [name for _, name in _names_in(content, "layers")]
    for table in ("parameters", "letters"):
        for name in _table(content, table):
            if name not in names:
                path = f"{table}.{written(name)}"
                yield tr("{path}: there is no such layer", path=path) + hint(name, names)


def _one_of(table: Mapping[str, Any], path: str, keys: Sequence[str]) -> Iterator[str]:
    given = [f"{path}{key}" for key in keys if key in table]
    if len(given) > 1:
        yield tr("{first}: cannot be given together with {second}", first=given[1], second=given[0])
    if not given:
        yield tr("{keys}: one of them must be given", keys=" or ".join(f"{path}{key}" for key in keys))
