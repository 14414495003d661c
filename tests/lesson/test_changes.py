"""Changes: as text and back, made at once or one after the other, and what does not fit."""

import random

import msgspec
import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import (
    Argument,
    Cell,
    Change,
    place_of,
    read_change,
    read_changes,
    text_of,
)
from cnnviz.lesson.description import describe
from cnnviz.lesson.lesson import lesson_of, load_lesson
from cnnviz.lesson.subject import Choice
from tests.changing import some_changes

TYPED = "f = (x + y) * z   x=-2 y=5 z=-4"
LESSONS = (
    "digits",
    "training",
    "backward-conv",
    "convolution",
    "forward",
    "chain-rule",
    "gradient-descent",
    "image",
)


def same(one, other):
    """Whether two lessons are the same to the last bit, in their steps, their numbers and what they say."""
    return (
        one.changes == other.changes
        and one.choice == other.choice
        and len(one.program) == len(other.program)
        and one.tape.keys() == other.tape.keys()
        and all(one.tape[key].tobytes() == other.tape[key].tobytes() for key in one.tape)
        and one.sequence == other.sequence
    )


# -------------------------------------------------------------------------------------------------- as text


def any_change(rng):
    """A change of any form; whether there is such a thing is another question."""
    name = rng.choice(["conv1", "x", "größe", "_w", "a1"])
    value = rng.choice([rng.uniform(-1, 1), rng.gauss(0, 1) * 10 ** rng.randint(-300, 300), -0.0, 3.0, 1e22])
    if rng.random() < 0.5:
        array = rng.choice([name, f"{name}.w", "input", "label"])
        index = tuple(rng.randint(0, 10**6) for _ in range(rng.randint(1 if "." in array else 0, 4)))
        return Cell(array, index, value, rng.choice([None, rng.randint(0, 10**6)]))
    if rng.random() < 0.1:
        names = ["/a b/100%.pt", "ü?layout=x.npz", "C:/net.h5", "t10k-1"]
        return Argument(*rng.choice([("weights", "file"), ("input", "labels")]), rng.choice(names))
    numbers = [rng.randint(-(10**20), 10**20), value, -value, 0]
    several = tuple(rng.choice(numbers) for _ in range(rng.randint(1, 4)))
    return Argument(name, rng.choice(["lr", "stride"]), rng.choice([*numbers, several, "same"]))


def test_what_is_written_is_read_again():
    rng = random.Random(1)
    for _ in range(2000):
        change = any_change(rng)
        again = read_change(str(change))
        assert again == change and repr(again.value) == repr(change.value), str(change)
        assert " " not in str(change)
        assert msgspec.json.decode(msgspec.json.encode(change), type=Change) == change


@pytest.mark.parametrize(
    ("typed", "change"),
    [
        ("conv1.w[0,0,1,1]=0.5", Cell("conv1.w", (0, 0, 1, 1), 0.5)),
        (" conv1.w[0, 0, 1, 1] = .5 ", Cell("conv1.w", (0, 0, 1, 1), 0.5)),
        ("input[0,2,3]=1", Cell("input", (0, 2, 3), 1.0)),
        ("input.7[0,2,3]=1e-3", Cell("input", (0, 2, 3), 0.001, 7)),
        ("label=4", Cell("label", (), 4.0)),
        ("label.12=4", Cell("label", (), 4.0, 12)),
        ("x=-2", Cell("x", (), -2.0)),
        ("conv1.stride=2", Argument("conv1", "stride", 2)),
        ("conv1.kernel=3,5", Argument("conv1", "kernel", (3, 5))),
        ("walk.starts=4,", Argument("walk", "starts", (4,))),
        ("optimiser.lr=0.1", Argument("optimiser", "lr", 0.1)),
        ("input.labels=t10k-labels.idx1-ubyte", Argument("input", "labels", "t10k-labels.idx1-ubyte")),
        ("input.array=x%20train", Argument("input", "array", "x train")),
        ("input.labels=2", Argument("input", "labels", "2")),
    ],
)
def test_forms_of_text(typed, change):
    assert read_change(typed) == change


UNREADABLE = """
=  conv1  conv1.w  conv1.w=  =3  conv1.w[0=3  conv1.w[]=3  conv1.w[-1]=3  conv1.w[a]=3  conv1..w=3  1conv.w=3
x=two[  x=__import__('os')  conv1.w[0]=fast  a.b.c=1  x=1,2  x=1;y=2  conv1.kernel=1,,2  conv1.kernel=,
x[999999999999999999999]=1
"""


@pytest.mark.parametrize("typed", ["", " ", *UNREADABLE.split(), "x" * 9999])
def test_what_is_none_is_said_in_one_sentence(typed):
    with pytest.raises(CnnvizError, match=r"^[^\n]* is not understood; write what is changed") as told:
        load_lesson("digits", changes=[typed])
    assert len(str(told.value)) < 250


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("conv1.w=1", "conv1.w=1: conv1.w has shape 4 × 1 × 3 × 3; name one of its cells, conv1.w[0,0,0,0]."),
        ("fc.b=0.5", "fc.b=0.5: fc.b has shape 10; name one of its cells, fc.b[0]."),
    ],
)
def test_of_a_whole_parameter_it_is_said_how_a_cell_is_named(typed, said):
    with pytest.raises(CnnvizError) as told:
        load_lesson("digits", changes=[typed])
    assert str(told.value) == said


def test_changes_are_plain_data():
    changes = read_changes(["conv1.w[0,0,1,1]=0.5", "conv1.stride=2"])
    assert hash(changes) == hash(read_changes(text_of(changes).split()))
    with pytest.raises(AttributeError):
        changes[0].value = 1


# ------------------------------------------------------------------------- description + changes → lesson


@pytest.mark.parametrize("source", [*LESSONS, TYPED])
def test_at_once_or_one_after_the_other_or_in_another_order_it_is_the_same_lesson(source):
    rng = random.Random(source)
    description = describe(source)
    for _ in range(3):
        image = rng.randrange(len(description.subject))
        changes = some_changes(description.subject, rng, 6)
        at_once = lesson_of(description, changes, Choice(image))
        fresh = load_lesson(source, image, changes=text_of(changes).split())
        assert same(at_once, fresh)
        slowly = load_lesson(source, image)
        for change in changes:
            slowly = slowly.changed(change)
        assert same(slowly, fresh)
        shuffled = tuple(rng.sample(changes, len(changes)))
        assert same(lesson_of(description, shuffled, Choice(image)), fresh)
        assert len({place_of(change) for change in fresh.changes}) == len(fresh.changes)
        for change in reversed(fresh.changes):
            rest = tuple(other for other in slowly.changes if other != change)
            slowly = lesson_of(description, rest, Choice(image))
        assert same(slowly, load_lesson(source, image)), "all are taken back"


def test_what_the_file_says_already_is_no_change_and_the_last_of_two_counts():
    lesson = load_lesson("convolution")
    assert lesson.changed(*read_changes(["conv.w[0,0,0,0]=1", "conv.stride=1"])).changes == ()
    twice = lesson.changed(read_change("conv.w[0,0,0,0]=5")).changed(read_change("conv.w[0,0,0,0]=6"))
    assert text_of(twice.changes) == "conv.w[0,0,0,0]=6"
    assert twice.changed(read_change("conv.w[0,0,0,0]=1")).changes == ()
    zero = lesson.changed(read_change("conv.b[0]=-0.0"))
    assert text_of(zero.changes) == "conv.b[0]=-0", "which is another number than 0"


def test_what_belongs_to_an_image_stays_with_it():
    lesson = load_lesson("digits", 7, changes=["input[0,2,3]=0.25", "label=4"])
    assert text_of(lesson.changes) == "label.7=4 input.7[0,2,3]=0.25"
    assert lesson.tape["conv1.x"][0, 2, 3] == 0.25 and lesson.tape["loss.t"].argmax() == 4
    other = lesson.choose(8)
    assert np.array_equal(other.tape["conv1.x"], load_lesson("digits", 8).tape["conv1.x"])
    assert other.changes == lesson.changes and other.choose(7).tape["conv1.x"][0, 2, 3] == 0.25
    again = load_lesson("digits", 8, changes=text_of(lesson.changes).split()).choose(7)
    assert same(again, lesson)


# ---------------------------------------------------------- against a file in which it stands that way


def inline(content):
    """The same lesson with its one sample and its parameters in the file."""
    rng = np.random.default_rng(3)
    shapes = {"conv1": {"w": (2, 1, 3, 3), "b": (2,)}, "fc": {"w": (8, 3), "b": (3,)}}
    drawn = {
        layer: {name: rng.normal(size=shape).round(3).tolist() for name, shape in arrays.items()}
        for layer, arrays in shapes.items()
    }
    given = {"shape": [1, 4, 4], "values": rng.normal(size=(1, 4, 4)).round(3).tolist(), "target": [0, 1, 0]}
    return {
        **{key: value for key, value in content.items() if key != "seed"},
        "parameters": drawn,
        "input": given,
    }


FILES = {
    "a weight": ("conv1.w[1,0,2,0]=0.5", lambda c: set_at(c["parameters"]["conv1"]["w"], (1, 0, 2, 0), 0.5)),
    "a bias": ("fc.b[2]=-7", lambda c: set_at(c["parameters"]["fc"]["b"], (2,), -7)),
    "a pixel": ("input[0,3,1]=1e3", lambda c: set_at(c["input"]["values"], (0, 3, 1), 1e3)),
    "a target": ("target[1]=0 target[2]=1", lambda c: c["input"].update(target=[0, 0, 1])),
    "a learning rate": ("optimiser.lr=2", lambda c: c["optimiser"].update(lr=2)),
    "momentum": ("optimiser.momentum=0.5", lambda c: c["optimiser"].update(momentum=0.5)),
    "a size that fits": (
        "conv1.stride=2 conv1.padding=1",
        lambda c: c["layers"][0].update(stride=2, padding=1),
    ),
}


def set_at(nested, index, value):
    *outer, last = index
    for k in outer:
        nested = nested[k]
    nested[last] = value


@pytest.mark.parametrize(("changes", "alter"), FILES.values(), ids=FILES)
def test_it_is_as_if_the_file_said_so(content, write, changes, alter):
    content = inline(content)
    changed = load_lesson(write(content), changes=changes.split())
    alter(content)
    other = load_lesson(write(content))
    assert changed.tape.keys() == other.tape.keys()
    assert all(changed.tape[key].tobytes() == other.tape[key].tobytes() for key in other.tape)
    assert [len(a) for a in changed.program.operations] == [len(a) for a in other.program.operations]


def test_drawn_parameters_are_drawn_for_what_is_made_otherwise(content, write):
    changed = load_lesson(
        write(content), changes=["conv1.out_channels=5", "conv1.kernel=2", "conv1.w[4,0,1,1]=9"]
    )
    content["layers"][0].update(out_channels=5, kernel=2)
    other = load_lesson(write(content))
    assert changed.tape["conv1.w"][4, 0, 1, 1] == 9 != other.tape["conv1.w"][4, 0, 1, 1]
    assert np.array_equal(changed.tape["conv1.w"].ravel()[:-1], other.tape["conv1.w"].ravel()[:-1])
    assert np.array_equal(changed.tape["fc.w"], other.tape["fc.w"])


def test_a_training_is_trained_with_it(content, write):
    content["training"] = {"iterations": 6, "held_out": 0}
    content["optimiser"] = {"kind": "adam", "lr": 0.01}
    changed = load_lesson(write(content), iteration=5, changes=["optimiser.lr=0.1"])
    content["optimiser"]["lr"] = 0.1
    other = load_lesson(write(content), iteration=5)
    assert all(changed.tape[key].tobytes() == other.tape[key].tobytes() for key in other.tape)
    assert changed.heading == other.heading == "A small net, iteration 5"


def test_values_pixels_and_walks():
    assert load_lesson("chain-rule", changes=["x=3"]).tape["f.f"] == (3 + 5) * -4
    second = load_lesson("chain-rule", 1, changes=["x=5"])
    assert (second.tape["f.f"], text_of(second.changes)) == (30, "x.1=5")
    assert second.choose(0).tape["f.f"] == -12
    picture = load_lesson("image", changes=["rgb.image[5,4,2]=51"])
    assert picture.tape["rgb.x"][2, 5, 4] == 0.2
    assert np.array_equal(picture.tape["grey.x"], load_lesson("image").tape["grey.x"])


def test_what_a_file_says_of_changed_numbers_is_not_said():
    def told(source, *changes, image=None):
        return {stop.caption for stop in load_lesson(source, image, changes=changes).sequence}

    every = told("backward-fc")
    rate = told("backward-fc", "optimiser.lr=0.25")
    assert rate < every
    gone = [stop for stop in load_lesson("backward-fc").sequence if stop.caption not in rate]
    program = load_lesson("backward-fc").program
    assert {program[stop.index].operation.phase for stop in gone} == {"update"}
    assert told("convolution", "conv.b[0]=1") == set()
    assert told("digits", "input[0,0,0]=1") == set(), "and all after it"
    assert told("digits", "input.3[0,0,0]=1") == told("digits"), "of another image"
    whole, longer = load_lesson("stride-padding"), load_lesson("stride-padding", changes=["strided.stride=1"])
    places = {stop.caption: whole.program[stop.index] for stop in whole.sequence}
    assert 0 < len(longer.sequence) < len(whole.sequence)
    for stop in longer.sequence:
        there, before = longer.program[stop.index], places[stop.caption]
        assert there.operation.name == before.operation.name != "strided"
        assert (there.offset, there.line, there.variables) == (before.offset, before.line, before.variables)


# ------------------------------------------------------------------------------------------ what does not fit


REFUSED = """
digits | conv1.stride=2 | conv1.stride=2: fc: w has shape 32 × 10, but the layer needs 8 × 10.
digits | conv9.stride=2 | conv9.stride=2: there is no conv9; did you mean conv2?
digits | conv1.strides=2 | conv1.strides: is not known; did you mean stride?
digits | relu1.alpha=2 | relu1.alpha: is not known; relu has none.
digits | conv1.stride=0 | conv1.stride: must be at least 1, is 0.
digits | conv1.stride=1.5 | conv1.stride: must be a whole number, is 1.5.
digits | conv1.kernel=3,3,3 | conv1.kernel: must be a list of 2, has 3.
digits | conv1.name=a | conv1.name: is not known; 
digits | optimiser.lr=-1 | optimiser.lr: must be more than 0, is -1.0.
digits | fc.neurons=5 | fc.neurons=5: fc: w has shape 32 × 10, but the layer needs 32 × 5.
digits | conv1.out_channels=65000 | conv1.out_channels=65000: 
digits | conv1.w[4,0,0,0]=1 | conv1.w[4,0,0,0]=1: conv1.w has shape 4 × 1 × 3 × 3, so its last cell is 
digits | conv1.w[0]=1 | conv1.w[0]=1: conv1.w has shape 4 × 1 × 3 × 3, so its last cell is conv1.w[3,0,2,2].
digits | conv1.w[0,0,0,0]=nan | conv1.w[0,0,0,0]=nan: must be a finite number, is nan.
digits | conv1.y[0,0,0]=1 | conv1.y[0,0,0]=1: conv1.y is computed, or not there; what can be changed is 
digits | conv1.w.3[0,0,0,0]=1 | conv1.w.3[0,0,0,0]=1: conv1.w is the same for all images; leave out 
digits | input.360[0,0,0]=1 | input.360[0,0,0]=1: there is no number 360; they are 0 to 359.
digits | label=10 | label=10: a label is a whole number from 0 to 9.
digits | label=1.5 | label=1.5: a label is a whole number from 0 to 9.
digits | label[0]=1 | label[0]=1: label is a single number; leave out the brackets.
digits | target[2]=0.5 | target: must hold probabilities that add up to 1, not to 1.5.
digits | x=1 | x=1: x is computed, or not there; what can be changed is 
relu | optimiser.lr=1 | optimiser.lr=1: there is no optimiser; there is relu.
relu | label=1 | label=1: label is computed, or not there; what can be changed is input.
chain-rule | w=1 | w=1: w is not in the expression; there is x, y, z.
chain-rule | x[0]=1 | x[0]=1: x is a single number; leave out the brackets.
chain-rule | x.9=1 | x.9=1: there is no number 9; they are 0 to 2.
chain-rule | x=inf | x=inf: must be a finite number, is inf.
chain-rule | f.lr=1 | There is no f whose arguments could be changed; what can be changed is x, y, z.
image | rgb.image[0,0,0]=256 | rgb.image[0,0,0]=256: a pixel is a whole number from 0 to 255.
image | rgb.image[9,0,0]=1 | rgb.image[9,0,0]=1: rgb.image has shape 6 × 6 × 3, so its last cell is 
image | rgb.x[0,0,0]=1 | rgb.x[0,0,0]=1: rgb.x is computed, or not there; what can be changed is 
image | rgb.depth=1 | There is no rgb whose arguments could be changed; what can be changed is rgb.image,
"""


@pytest.mark.parametrize("row", REFUSED.strip().split("\n"))
def test_what_does_not_fit_is_said_in_one_sentence_and_alters_nothing(row):
    source, changes, sentence = row.split(" | ")
    lesson = load_lesson(source)
    before = {key: array.tobytes() for key, array in lesson.tape.items()}
    with pytest.raises(CnnvizError) as told:
        lesson.changed(read_change(changes))
    assert str(told.value).startswith(sentence.rstrip())
    assert str(told.value)[-1] in ".?" and "\n" not in str(told.value)
    again = lesson_of(lesson.description)
    assert {key: array.tobytes() for key, array in again.tape.items()} == before


def test_files_of_many_changes_have_names_of_their_own():
    lesson = load_lesson("digits")
    names = []
    for value in (0.1, 0.2):
        cells = [Cell("input", (0, i, j), value + i + j) for i in range(8) for j in range(8)]
        changed = lesson.changed(*cells)
        names.append((changed.file_name, changed.identity))
        assert len(changed.file_name) < 90 and len(changed.identity) < 250
    assert len({*names, (lesson.file_name, lesson.identity)}) == 3
    assert load_lesson("digits", changes=["conv1.w[0,0,1,1]=-0.5"]).file_name == "digits-conv1.w-0-0-1-1--0.5"
