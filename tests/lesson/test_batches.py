"""Lessons whose samples go through together."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import read_changes
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.place import step_at

FILES = Path(__file__).parent / "files"
IMAGES = np.random.default_rng(0).integers(0, 32, (10, 1, 4, 4)).astype(np.uint8)
LABELS = np.arange(10) % 3


def together(content, size):
    return {**content, "input": {**content["input"], "batch_size": size}}


def test_the_chosen_sample_and_those_after_it_go_through(write, content):
    path = write(together(content, 4), images=IMAGES, labels=LABELS)
    lesson, alone = load_lesson(str(path), image=6), write(content, images=IMAGES, labels=LABELS)
    assert "samples 6, 7, 8, 9 of 10 go through together" in lesson.subject.info(lesson.choice, lesson.tape)
    each = [load_lesson(str(alone), image=image).tape for image in (6, 7, 8, 9)]
    for name in ("conv1.y", "softmax.y"):
        np.testing.assert_allclose(lesson.tape[name], [one[name] for one in each], rtol=1e-12, atol=1e-15)
    for name in ("conv1.dw", "fc.db"):
        np.testing.assert_allclose(
            lesson.tape[name], np.mean([one[name] for one in each], axis=0), atol=1e-12
        )
    assert lesson.tape.loss == pytest.approx(np.mean([one.loss for one in each]), rel=1e-12)


def test_a_training_takes_the_next_ones_in_its_order(write, content):
    training = {"iterations": 8, "held_out": 3, "measure": 4, "seed": 2}
    path = write({**together(content, 3), "training": training}, images=IMAGES, labels=LABELS)
    lesson = load_lesson(str(path)).at_iteration(5)
    run = lesson.run
    assert run.images_of(0) + run.images_of(1) == [int(k) for k in run.order[:6]]
    assert run.images_of(2) == [int(run.order[6]), int(run.order[0]), int(run.order[1])]
    following = lesson.at_iteration(6)
    for operation in lesson.program.operations:
        if operation.phase == "update":
            stepped = lesson.program.state(lesson.program.start(operation.name) + len(operation) - 1)
            assert np.array_equal(stepped.value("w"), following.tape[operation.name].reshape(-1))
    assert lesson.tape.loss == run.losses[5]
    assert "8 iterations of 3 samples each, out of 7" in lesson.subject.info(lesson.choice, lesson.tape)


@pytest.mark.parametrize(
    "size, said",
    [
        (11, "input.batch_size: must be at most 10, the number of the samples, is 11"),
        (0, "input.batch_size: must be at least 1, is 0"),
        ("all", "input.batch_size: must be a whole number"),
    ],
)
def test_a_size_that_cannot_be_is_one_sentence(write, content, size, said):
    path = write(together(content, size), images=IMAGES, labels=LABELS)
    with pytest.raises(CnnvizError, match=re.escape(said)):
        load_lesson(str(path))


def test_samples_that_would_take_too_much_memory_together_are_refused_before_it_is_taken(write, content):
    content["layers"][0]["out_channels"] = 40_000
    images = np.zeros((600, 1, 4, 4), np.uint8)
    path = write(together(content, 600), images=images, labels=np.arange(600) % 3)
    with pytest.raises(CnnvizError, match=r"conv1: with it, an iteration takes [\d,]+ MB"):
        load_lesson(str(path))


def together_in_three(content):
    """Two inputs and two losses, three samples of each."""
    rng = np.random.default_rng(2)
    content["input"] = {"batch_size": 3}
    for given in content["inputs"].values():
        given["values"] = rng.normal(size=(3, *given["shape"])).tolist()
    content["losses"][0]["target"] = [[2], [1], [0]]
    content["losses"][1]["target"] = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    return content


def test_several_inputs_and_losses_go_together(write):
    """Loss and gradients are the means of those of each sample by itself, which a change brings about."""
    content = tomllib.loads((FILES / "two-in-two-out.toml").read_text(encoding="utf-8"))
    path = str(write(together_in_three(content)))
    lesson = load_lesson(path)
    assert "samples 0, 1, 2 of 3 go through together" in lesson.subject.info(lesson.choice, lesson.tape)
    one_by_one = load_lesson(path, changes=["input.batch_size=1"])
    each = [one_by_one.choose(k).tape for k in range(3)]
    assert lesson.tape.loss == pytest.approx(np.mean([one.loss for one in each]), rel=1e-12)
    for name in ("conv.dw", "tones.dw", "size.db", "scores.dw"):
        means = np.mean([one[name] for one in each], axis=0)
        np.testing.assert_allclose(lesson.tape[name], means, atol=1e-14)
    changed = lesson.changed(*read_changes(["heard.2[1]=9", "loss_size.target.1[0]=4"]))
    assert (changed.tape["heard.y"][2, 1], changed.tape["loss_size.t"][1, 0]) == (9, 4)
    for change, said in (
        ("input.batch_size=4", "must be at most 3"),
        ("input.shape=2", "input.shape: is not known; there is batch_size, classes, "),
        ("input.shape=2", "scale, and cells such as seen[0,0,0]."),
    ):
        with pytest.raises(CnnvizError, match=re.escape(said)):
            load_lesson(path, changes=[change])


def test_several_inputs_and_losses_are_trained_with(write):
    content = tomllib.loads((FILES / "two-in-two-out.toml").read_text(encoding="utf-8"))
    content = {**together_in_three(content), "training": {"iterations": 40}, "input": {"batch_size": 2}}
    del content["stops"]
    lesson = load_lesson(str(write(content)))
    here, following = lesson.at_iteration(7), lesson.at_iteration(8)
    for operation in here.program.operations:
        if operation.phase == "update":
            stepped = here.program.state(here.program.start(operation.name) + len(operation) - 1)
            assert np.array_equal(stepped.value("w"), following.tape[operation.name].reshape(-1))
    assert here.tape.loss == here.run.losses[7]
    last = lesson.at_iteration(39)
    assert last.run.losses[30:39].mean() < last.run.losses[:9].mean()


def test_every_array_beside_a_result_is_a_place(write):
    lesson = load_lesson(str(FILES / "two-in-two-out.toml"))
    program = lesson.program
    for words, writes in (
        ("both.dx2[1]", ("dx2", (1,))),
        ("both.dx2", ("dx2", (0,))),
        ("softmax.e[2]", ("e", (2,))),
        ("conv.y[0,1,1]", ("y", (0, 1, 1))),
    ):
        assert writes in program.state(step_at(program, words)).writes
    with pytest.raises(CnnvizError, match=re.escape("both.dx2 has shape 4, so its last one is both.dx2[3].")):
        step_at(program, "both.dx2[4]")


def test_all_samples_together_leave_nothing_to_choose(write, content):
    path = write(together(content, 10), images=IMAGES, labels=LABELS)
    assert len(load_lesson(str(path)).subject) == 1
    with pytest.raises(CnnvizError, match="has no image 1; its images are numbered 0 to 0"):
        load_lesson(str(path), image=1)
    assert len(load_lesson("batch").subject) == 1
