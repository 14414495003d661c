"""The paths from the loss to a gradient: that they are those of the graph, and what each adds to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from cnnviz.engine.layers.joining import Add
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.network import Network
from cnnviz.engine.wiring import INPUT
from cnnviz.scene import paths
from cnnviz.scene.chain import chain, has_chain, result
from cnnviz.scene.frame import moment
from cnnviz.scene.marks import Box, Cells, Hotspot, Label
from cnnviz.scene.panels import chain_strip as strips
from cnnviz.scene.panels.chain_strip import STRIP, chain_strip
from cnnviz.scene.view import View
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import clear_program_caches
from tests.cases import joined_network, sample
from tests.scene.looking import all_marks, inside, overlap, reach, said
from tests.scene.test_chain import factors_multiplied
from tests.scene.test_network_pane import Layers, network_of, residual

BOX = Box(0, 0, 1072, STRIP)


@cache
def random_network(seed: int) -> tuple[Network, Program]:
    """Up to nine layers, each of which reads one of those before it, or two or three, or one twice."""
    rng = random.Random(seed)
    made: Layers = []
    names = [INPUT]
    for k in range(rng.randint(3, 8)):
        near = names[-4:]
        if rng.random() < 0.45 and k:
            read = tuple(rng.choice(near) for _ in range(rng.randint(2, 3)))
            made.append((f"l{k}", Add(), read))
        else:
            made.append((f"l{k}", rng.choice([Linear(2, 2), ReLU()]), (rng.choice(near),)))
        names.append(f"l{k}")
    loose = [name for name, *_ in made if not any(name in read for _, _, read in made)]
    made.append(("join", Add(), (*loose, names[-1])))
    made.append(("softmax", Softmax(), ("join",)))
    return network_of(made)


def true_paths(network: Network, layer: str) -> Iterator[tuple[str, ...]]:
    """Every way from the loss to a layer's output, by the addresses of the gradients on it."""
    last = network.layers[-1]
    for reader in network.layers:
        for own, source in zip(reader.input_names, network.inputs[reader.name], strict=True):
            if source == layer:
                if reader is last:
                    yield (f"{reader.name}.d{own}",)
                else:
                    yield from ((*path, f"{reader.name}.d{own}") for path in true_paths(network, reader.name))


def all_ways(program: Program, operation: Operation) -> list[paths.Way]:
    """Every path, as they follow one another when the next is chosen again and again."""
    chosen: paths.Chosen = ()
    found = []
    for k in range(paths.count(program, operation)):
        assert paths.number(program, operation, chosen) == k
        found.append(paths.way(program, operation, chosen))
        following = paths.another(program, operation, chosen)
        back = paths.another(program, operation, following, -1)
        assert paths.way(program, operation, back) == found[-1]
        chosen = following
    assert paths.way(program, operation, chosen) == found[0], "after the last comes the first"
    return found


def addresses(way: paths.Way) -> tuple[str, ...]:
    return tuple(link.address for link in way.links)


@pytest.mark.parametrize("seed", range(25))
def test_the_next_path_leads_once_through_all_that_there_are(seed):
    network, program = random_network(seed)
    for operation in program.operations:
        if operation.name.endswith((".dw", ".db")):
            wanted = {(*path, operation.name) for path in true_paths(network, operation.layer)}
            found = [addresses(way) for way in all_ways(program, operation)]
            assert len(found) == len(set(found)) and set(found) == wanted


def test_those_of_a_network_with_sums_and_a_concatenation_too():
    network = joined_network()
    program = Program(network.calls(network.run(*sample(network))))
    for name, count in (("fc.dw", 1), ("right.dw", 3), ("left.dw", 4)):
        operation = program.operation(name)
        wanted = {(*path, name) for path in true_paths(network, operation.layer)}
        assert {addresses(way) for way in all_ways(program, operation)} == wanted
        assert len(wanted) == count


@pytest.mark.parametrize("seed", range(25))
def test_the_products_on_all_paths_add_up_to_the_gradient(seed):
    _, program = random_network(seed)
    several = 0
    for operation in program.operations:
        if not has_chain(operation) or operation.name.endswith(".dy") or operation.layer == "softmax":
            continue
        array = result(program, operation).array
        chosen: paths.Chosen = ()
        total = 0.0
        count = paths.count(program, operation)
        for _ in range(count):
            factors = chain(program, operation, chosen)
            total = total + factors_multiplied(factors, array)
            chosen = paths.another(program, operation, chosen)
        made = operation.call.writes[array]
        np.testing.assert_allclose(np.reshape(total, made.shape), made, atol=1e-12)
        several += count > 1
    assert several or seed not in range(10)


def test_nothing_chosen_is_the_path_through_the_nearest_layers():
    program = residual(3, False)[1]
    way = paths.way(program, program.operation("stem.dw"))
    assert [link.operation.layer for link in way.links if "fc" in link.operation.layer] == [
        name for k in (2, 1, 0) for name in (f"fc2{k}", f"fc1{k}")
    ]
    assert way.through == tuple(f"add{k}.dx1: fc1{k}, relu{k}, fc2{k}" for k in range(3))


def test_the_next_path_differs_where_it_is_nearest():
    program = residual(3, False)[1]
    operation = program.operation("stem.dw")
    assert paths.count(program, operation) == 8
    ways = [way.through for way in all_ways(program, operation)]
    assert ways[1] == ("add0.dx2", *ways[0][1:])
    assert ways[2] == (ways[0][0], "add1.dx2", ways[0][2])


@pytest.mark.parametrize("seed", range(12))
def test_a_path_can_be_chosen_by_any_gradient_that_lies_on_one(seed):
    program = random_network(seed)[1]
    for operation in program.operations:
        if not has_chain(operation) or not 1 < paths.count(program, operation) < 40:
            continue
        ways, chosen = all_ways(program, operation), paths.another(program, operation, ())
        on_one = {link.address for way in ways for link in way.links}
        found = {*paths.on_paths(program, operation)}
        assert on_one <= found, "and the sums, which multiply by nothing"
        for address in on_one:
            there = paths.through(program, operation, chosen, address)
            now = paths.way(program, operation, there)
            assert now in ways and address in {link.address for link in now.links}
            assert paths.through(program, operation, there, address) == there, "it is followed already"


def test_what_is_chosen_holds_for_all_that_lies_behind():
    program = residual(4, False)[1]
    chosen = paths.another(program, program.operation("fc12.dw"), ())
    assert chosen == ("add3.dx2",)
    assert paths.way(program, program.operation("fc12.dw"), chosen).through == ("add3.dx2",)
    assert paths.way(program, program.operation("stem.dw"), chosen).through[-1] == "add3.dx2"
    both = paths.another(program, program.operation("stem.dw"), chosen)
    assert {"add0.dx2", "add3.dx2"} < set(both), "and what is chosen elsewhere stays"


# ------------------------------------------------------------------------------------------------- the strip


def strip(
    program: Program, name: str, unit: float = 1.0, width: float = 1072, chosen: paths.Chosen = ()
) -> list:
    at = moment(program, program.start(name), View(paths=chosen))
    return list(all_marks(chain_strip(at, Box(0, 0, width * unit, round(STRIP * unit)), unit)))


def test_the_strip_says_which_of_how_many_paths_it_follows():
    program = residual(1, False)[1]
    texts = said(strip(program, "stem.dw", width=1500))
    assert {"1 other path", "1 / 2", "through add0.dx1", "fc10, relu0, fc20"} <= set(texts)
    names = [text for text in texts if text.startswith("∂")]
    assert names == [
        "∂E/∂add0",
        "∂add0/∂fc20",
        "∂fc20/∂relu0",
        "∂relu0/∂fc10",
        "∂fc10/∂stem",
        "∂stem/∂w",
        "∂E/∂w",
    ]
    assert "3 other paths" in said(strip(residual(2, False)[1], "stem.dw"))
    assert "block0_fc1 and 2 more" in said(strip(residual(1)[1], "stem.dw")), "their names are long"
    for name in ("softmax.dx", "add0.dx", "fc10.dw", "stem.dy"):
        assert not any("other path" in text for text in said(strip(program, name)))
        assert not [
            mark for mark in strip(program, name) if isinstance(mark, Hotspot) and mark.kind == "path"
        ]


@pytest.mark.parametrize("blocks", [2, 3, 6])
def test_paths_that_follow_one_another_do_not_read_alike(blocks):
    """Nor do any two, as long as all the sums that they go through have room."""
    program, chosen, read = residual(blocks, False)[1], (), []
    for k in range(2**blocks):
        texts = said(strip(program, "stem.dw", chosen=chosen))
        at = texts.index(f"{k + 1} / {2**blocks}")
        read.append(tuple(texts[at + 2 : at + 4]))
        assert read[-1][0].startswith("through add"), texts
        chosen = paths.another(program, program.operation("stem.dw"), chosen)
    assert all(one != other for one, other in pairwise([*read, read[0]]))
    assert blocks > 3 or len(set(read)) == len(read)


@pytest.mark.parametrize("unit", [1.0, 2 / 3])
@pytest.mark.parametrize("width", [620, 1072, 1500])
def test_in_a_strip_with_its_control_nothing_overlaps(unit, width):
    for blocks in (1, 3, 17, 30):
        program = residual(blocks, False)[1]
        box = Box(0, 0, width * unit, round(STRIP * unit))
        marks = strip(program, "stem.dw", unit, width)
        for mark in marks:
            assert inside(reach(mark), box, 1.0), mark
        texts = [mark.box for mark in marks if isinstance(mark, Label)]
        maps = [mark.box for mark in marks if isinstance(mark, Cells)]
        for k, one in enumerate((*texts, *maps)):
            for other in (*texts, *maps)[:k]:
                assert min(overlap(one, other)) < 1.5 * unit


def test_of_more_paths_than_can_be_counted_it_is_said_that_there_are_very_many():
    program = residual(30, False)[1]
    assert paths.count(program, program.operation("stem.dw")) == 2**30
    texts = said(strip(program, "stem.dw"))
    assert "very many other paths" in texts and "fc10, relu0, fc20 …" in texts


def test_of_a_thousand_layers_only_the_factors_that_have_room_are_made(monkeypatch):
    """And each path is gone through once: what is asked for grows with the layers, no faster."""
    made: list[int] = []
    asked: list[int] = []
    factor, upwards = strips.factor_on, paths._upwards
    monkeypatch.setattr(strips, "factor_on", lambda *of: made.append(1) or factor(*of))
    monkeypatch.setattr(paths, "_upwards", lambda *of: (asked.append(1) or link for link in upwards(*of)))
    often = []
    for blocks in (30, 60):
        program = residual(blocks, False)[1]
        clear_program_caches()
        made.clear()
        asked.clear()
        strip(program, "stem.dw")
        assert 2 <= len(made) < 25
        often.append(len(asked))
    assert often[1] < 2.2 * often[0]
