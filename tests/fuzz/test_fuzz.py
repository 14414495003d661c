"""No damaged file makes the program fall: it is opened, or refused in one sentence; see `make fuzz`."""

import os
import random

import pytest

from tests.fuzz.kinds import KINDS, Kind
from tests.fuzz.mutators import BYTES, TEXTS, damaged
from tests.fuzz.trial import content_of, fault_of, shrunk


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files(name, tmp_path):
    kind, inside = KINDS[name], tmp_path / "inside"
    inside.mkdir()
    for right in kind.right:
        assert fault_of(kind, right, inside) == ""
    faults: dict[str, int] = {}
    for seed in range(kind.files):
        fault = fault_of(kind, content_of(kind, seed), inside)
        if fault:
            faults.setdefault(fault, seed)
    told = [f"{fault}: python -m tests.fuzz {name} --seed {seed}" for fault, seed in faults.items()]
    assert told == []
    assert os.listdir(tmp_path) == ["inside"]


@pytest.mark.parametrize("way", BYTES + TEXTS, ids=lambda way: way.__name__)
def test_every_way_damages(way):
    right = KINDS["lesson"].right
    made = {way(random.Random(seed), right[0], right) for seed in range(20)}
    assert len(made - {right[0]}) > 5
    assert all(isinstance(content, bytes) for content in made)
    way(random.Random(0), b"", right)


def test_a_fall_is_found_told_and_made_small(tmp_path):
    def open_it(_, content):
        if content.count(b"[") > 3:
            raise RecursionError

    kind = Kind("brackets", [b"a = [1, 2]\n" * 9], open_it)
    fault = fault_of(kind, kind.right[0], tmp_path)
    assert fault == "RecursionError in test_fuzz.py:open_it"
    assert shrunk(kind, kind.right[0], fault, tmp_path) == b"[[[["
    assert content_of(kind, 5) == content_of(kind, 5) != content_of(kind, 6)
    assert damaged(random.Random(1), b"a = 1", [b"a = 1"]) != b"a = 1"
