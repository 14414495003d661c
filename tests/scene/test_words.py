"""Every listing has words and a picture, and every word can be translated."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import cnnviz.text
from cnnviz.engine.schedules import CosineAnnealingLR, LinearLR, Schedules, StepLR
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import compose
from cnnviz.scene.kinds import update
from cnnviz.scene.registry import formulas, kind_of, kinds, recorded_as
from cnnviz.text import use_language
from cnnviz.trace.looptree import Loop, read_listing
from cnnviz.trace.program_cache import clear_lasting_caches
from tests.cases import ALL_CALLS, OPTIMISERS, scheduled
from tests.scene.looking import in_pane, said
from tests.scene.programs import CLASSES, fresh, telling_offsets, view

CALLS = {call.listing.__name__: call for _, call in reversed(ALL_CALLS)}  # the plainest of each
LISTINGS = {name: call.listing for name, call in CALLS.items()}
# What is said of an expression: its listings are made of it.
OF_EXPRESSIONS = {"expression.forward", "expression.backward"}
# As long as fits its line in the stage.
LONGEST = 112

each_listing = pytest.mark.parametrize("name", LISTINGS)


@each_listing
def test_a_listing_has_words(name):
    told, written = kind_of(CALLS[name]), formulas(CALLS[name], 2)
    assert written and all(written)
    assert told.variables.keys() >= set(read_listing(LISTINGS[name]).variables)
    assert all(text.strip() for text in told.variables.values())
    gradient = "_d" in name or "gradient" in name
    aside = CALLS[name].name != CALLS[name].layer  # what a layer computes beside its output has one, too
    assert bool(told.title) == (gradient or aside or CALLS[name].phase in ("update", "descent")), (
        "a title says what is computed"
    )


@each_listing
def test_a_sentence_is_whole_and_fits_its_line(name):
    sentence = kind_of(CALLS[name]).sentence
    assert sentence[0].isupper() and sentence.endswith(".") and not sentence.endswith("..")
    assert len(sentence) <= LONGEST
    assert not kind_of(CALLS[name]).title.endswith(".")


@each_listing
def test_a_listing_that_begins_with_a_loop_says_what_is_to_come(name):
    tree, ahead = read_listing(LISTINGS[name]), kind_of(CALLS[name]).ahead
    assert bool(ahead) == isinstance(tree.body.statements[0], Loop)
    parts = ahead.split("`")
    assert set(parts[1::2]) <= tree.arrays, "what is coloured is an array of the listing"
    assert not ahead or (ahead[0].isupper() and ahead.endswith("."))
    assert len("".join(parts)) <= LONGEST


@each_listing
def test_of_one_term_no_sum_is_told(name):
    """And no plural: "1 of them", "its 1 cells"."""
    words, tree = kind_of(CALLS[name]), read_listing(LISTINGS[name])
    if re.search(r"\{terms\} (of them|cells)", words.ahead):
        assert words.ahead_of_one
    assert not re.search(r"\{terms\}|sum|mean|largest|them", words.ahead_of_one)
    assert set(words.ahead_of_one.split("`")[1::2]) <= tree.arrays
    assert not words.ahead_of_one or words.ahead_of_one.endswith(".")


@pytest.mark.parametrize(
    "operation, sentence",
    [
        ("conv", "Each cell of y will be the bias b plus one product w · x."),
        ("pool", "Each cell of y will be the one x of its window; switch will tell where that is."),
        ("conv.dw", "Each ∂E/∂w will be one product ∂E/∂y · x."),
        ("conv.db", "Each ∂E/∂b will be the one gradient ∂E/∂y of its output map."),
        ("fc", "Each y will be the bias b plus a sum of products w · x: 4 of them, one for each input."),
    ],
)
def test_maps_of_a_single_cell_are_spoken_of_as_such(operation, sentence):
    made = fresh("one")
    assert sentence in said(compose(made, made.start(operation), view(made)).marks)


def test_records_are_about_operations_that_there_are():
    batch = (operation.call for operation in load_lesson("batch").program.operations)
    schedules = StepLR(2), CosineAnnealingLR(2), LinearLR(), Schedules([(StepLR(2), None)])
    of_schedules = {scheduled(make(), each).rule for make in OPTIMISERS.values() for each in schedules}
    of_all = {recorded_as(call) for call in (*(call for _, call in ALL_CALLS), *batch)} | of_schedules
    of_all |= {f"descent.{rule}" for rule in update.KINDS if rule != "sgd"}
    assert kinds().keys() - OF_EXPRESSIONS == of_all


_OF_NORMS = ("", ".dbeta", ".dgamma", ".dx")


def test_all_but_what_copies_weighs_or_is_taken_at_each_place_has_a_picture_of_its_own():
    generic = {kind for kind, record in kinds().items() if record.picture is None}
    assert {kind for kind in generic if not kind.endswith((".maps", ".dim2", ".dim3"))} == {
        "global_avg_pool2d",
        "global_avg_pool2d.dx",
        "concat",
        "concat.dx",
        "multiply.dx.summed",
        *("upsample", "upsample.dx"),
        *("upsample.bilinear", "upsample.dx.bilinear", "upsample.size", "upsample.dx.size"),
        *("local_response_norm", "local_response_norm.dx"),
        "permute",
        "permute.dx",
        *("dropout", "dropout.dx", "dropout.off"),
        *(
            f"{norm}{gradient}"
            for norm in ("batch_norm", "layer_norm", "group_norm")
            for gradient in _OF_NORMS
        ),
        *("batch_norm.mean", "batch_norm.var", "batch_norm.training_dx"),
        *("mean_loss", "total_loss", "weighted_gradient"),
    }


def test_an_unknown_listing_has_the_generic_picture_and_a_sentence():
    made = fresh("unknown")
    call = made.operations[0].call
    assert kind_of(call).picture is None
    texts = said(compose(made, 3, view(made)).marks)
    assert kind_of(call).sentence in texts and kind_of(call).sentence.endswith(".")
    assert any(text.startswith("x[0]") for text in texts) and any(text.startswith("y[0]") for text in texts)


# ---------------------------------------------------------------------------------------------- translation


@pytest.fixture
def german() -> Iterator[dict[str, str]]:
    told = [
        text
        for each in kinds().values()
        for text in (each.title, each.sentence, each.ahead, each.ahead_of_one, *each.variables.values())
    ]
    catalogue = {text: f"<{text}>" for text in told if text}
    catalogue |= {"step {index} of {count}": "Schritt {index} von {count}", "kernel": "Kern"}
    clear_lasting_caches()  # a program begins in its language
    use_language(catalogue)
    yield catalogue
    use_language({})
    clear_lasting_caches()


def test_another_language_is_seen_in_the_frame(german):
    made = fresh("digits")
    step = made.find("conv2", line=9, o=1, i=2, j=3, c=1)
    frame = compose(made, step, view(made))
    stage, debugger, low = (
        " ".join(said(in_pane(frame, pane))) for pane in ("stage", "debugger", "timeline")
    )
    assert f"<{kinds()['conv2d'].sentence}>" in stage
    assert "w[1, 1]  Kern" in stage
    assert "<output map> 1, <row> 2, <column> 3" in stage
    assert "c  <input channel>" in debugger
    assert "Schritt " in low and "<input channel> 1" in low


class Everything:
    """A language that knows every sentence: it puts it in brackets."""

    def get(self, sentence: str, default: str) -> str:
        return f"⟨{sentence}⟩"


@pytest.fixture
def in_brackets(monkeypatch) -> Iterator[None]:
    clear_lasting_caches()
    monkeypatch.setattr(cnnviz.text, "_catalogue", Everything())
    yield
    clear_lasting_caches()


@pytest.mark.parametrize(
    "name", ["digits", "every", "large", "one", "columns", "tiny", "scattered", "unknown"]
)
def test_no_word_of_a_frame_is_left_untranslated(name, in_brackets):
    """What is not in brackets is a name, a number or code."""
    made = fresh(name)
    for operation in made.operations:
        known = set(re.findall(r"\w+", " ".join([*operation.tree.source, *CLASSES, "A lesson NaN"])))
        for other in made.operations:
            known |= set(re.findall(r"\w+", f"{other.name} {other.layer}"))
        for offset in telling_offsets(operation, 1):
            frame = compose(made, made.start(operation.name) + offset, view(made))
            for text in said(frame.marks):
                plain = set(re.findall(r"\w+", without_brackets(text))) - known
                assert not any(re.search("[A-Za-z]{2}", word) for word in plain), (
                    text,
                    operation.name,
                    offset,
                )


def without_brackets(text: str) -> str:
    while "⟨" in text:
        shorter = re.sub(r"⟨[^⟨⟩]*⟩", "", text)
        assert shorter != text, f"half a bracket: {text}"
        text = shorter
    return text
