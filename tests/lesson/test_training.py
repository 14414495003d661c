"""Lessons that train: any iteration can be asked for, and is what training did; broken tables are told."""

import re

import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import load_lesson

IMAGES = np.random.default_rng(0).integers(0, 32, (10, 1, 4, 4)).astype(np.uint8)
LABELS = np.arange(10) % 3
TRAINING = {"iterations": 30, "held_out": 3, "measure": 10, "seed": 2}


@pytest.fixture
def path(write, content):
    return write({**content, "training": TRAINING}, images=IMAGES, labels=LABELS)


@pytest.fixture(scope="module")
def trained():
    """Return the built-in lesson after its whole training."""
    return load_lesson("training").at_iteration(2999)


def test_the_built_in_lesson_opens_untrained_and_guesses():
    lesson = load_lesson("training")
    assert (lesson.iteration, lesson.run.done, len(lesson.subject.samples)) == (0, 0, 1797)
    assert lesson.image == lesson.run.image_of(0)
    assert lesson.tape["softmax.y"].max() < 0.4
    assert lesson.tape["loss.value"] == pytest.approx(np.log(10), abs=0.5)
    phases = list(dict.fromkeys(operation.phase for operation in lesson.program.operations))
    assert phases == ["forward", "loss", "backward", "update"]


def test_the_built_in_lesson_learns(trained):
    run = trained.run
    for _ in run.work():
        pass
    assert run.losses[:100].mean() > 2 > 0.5 > run.losses[-500:].mean()
    assert run.accuracies[0] < 0.2
    assert run.accuracies[3000] >= 0.9
    assert min(run.accuracies[t] for t in range(2000, 3001, 100)) >= 0.85


@pytest.mark.parametrize("iteration", [0, 1, 499, 1500, 2998])
def test_the_update_that_is_stepped_gives_the_next_parameters_to_the_last_bit(trained, iteration):
    here, following = trained.at_iteration(iteration), trained.at_iteration(iteration + 1)
    for operation in here.program.operations:
        if operation.phase == "update":
            stepped = here.program.state(here.program.start(operation.name) + len(operation) - 1)
            assert np.array_equal(stepped.value("w"), following.tape[operation.name].reshape(-1))
    assert here.tape["loss.value"] == here.run.losses[iteration]


def test_the_image_of_iteration_0_comes_again(trained):
    first, again = trained.at_iteration(0), trained.at_iteration(1500)
    assert first.image == again.image
    label = trained.subject.samples.labels[first.image]
    assert first.tape["softmax.y"][label] < 0.2
    assert again.tape["softmax.y"][label] > 0.9


def test_every_iteration_has_the_same_places(path):
    lesson = load_lesson(path)
    other = lesson.at_iteration(29)
    assert [len(a) for a in lesson.program.operations] == [len(b) for b in other.program.operations]
    for index in range(0, len(lesson.program), 97):
        here, there = lesson.program[index], other.program[index]
        assert (here.operation.name, here.line, here.variables) == (
            there.operation.name,
            there.line,
            there.variables,
        )


def test_an_update_reckons_the_rate_that_its_iteration_has(path):
    text = path.read_text() + "schedule = {kind = 'step_lr', step_size = 3, gamma = 0.5}\n"
    path.write_text(text)
    lesson = load_lesson(path, changes=["schedule.gamma=0.25"])
    plain = 0.1
    for iteration, rate in ((0, plain), (2, plain), (3, plain / 4), (7, plain / 16)):
        here = lesson.at_iteration(iteration)
        update = here.program.start("fc.w")
        assert here.program.state(update).variables["rate"] == pytest.approx(rate, rel=1e-14)
        tape = here.tape
        np.testing.assert_allclose(tape["fc.w_new"], tape["fc.w"] - rate * tape["fc.dw"], rtol=1e-12)


def test_schedules_take_over_from_one_another_and_multiply_their_rates(path):
    text = path.read_text()
    first, *others = (
        "kind = 'linear_lr', start_factor = 0.5, total_iters = 4",
        "kind = 'step_lr', step_size = 2, gamma = 0.5, begins = 4",
        "kind = 'step_lr', step_size = 3, gamma = 0.1",
    )
    path.write_text(f"{text}schedules = [{{{first}}}, {{{others[0]}}}, {{{others[1]}}}]\n")
    lesson = load_lesson(path, changes=["schedule_2.gamma=0.25"])
    rates = ((0, 0.05), (3, 0.0875), (4, 0.1), (5, 0.1), (6, 0.025), (7, 0.0025), (10, 0.1 / 64 / 100))
    for iteration, rate in rates:
        here = lesson.at_iteration(iteration)
        update = here.program.start("fc.w")
        assert here.program.state(update + 7).variables["rate"] == pytest.approx(rate, rel=1e-14)
        np.testing.assert_allclose(here.tape["fc.w_new"], here.tape["fc.w"] - rate * here.tape["fc.dw"])
    for wrong, why in (
        (others[0], "each begins later than the one before it, and the first at once"),
        (f"{first}}}, {{{others[0]}}}, {{{others[0]}", "each begins later than the one before it"),
        (f"{first}}}, {{kind = 'cosine_annealing_lr', T_max = 3, eta_min = 0.1", "schedules[1].eta_min"),
    ):
        path.write_text(f"{text}schedules = [{{{wrong}}}]\n")
        with pytest.raises(CnnvizError, match=re.escape(why)):
            load_lesson(path)
    path.write_text(f"{text}schedule = {{{first}}}\nschedules = [{{{first}}}]\n")
    with pytest.raises(CnnvizError, match="cannot be given together"):
        load_lesson(path)


def test_loaded_twice_it_is_the_same_to_the_last_bit(path):
    one, other = load_lesson(path, iteration=29), load_lesson(path).at_iteration(12).at_iteration(29)
    assert all(np.array_equal(one.tape[name], other.tape[name]) for name in one.tape)
    assert np.array_equal(one.run.losses, other.run.losses, equal_nan=True)


def test_an_earlier_iteration_is_not_changed_by_a_later_one(path):
    lesson = load_lesson(path)
    before = {name: values.copy() for name, values in lesson.tape.items()}
    lesson.at_iteration(20)
    again = lesson.choose(5).choose(lesson.image)
    for tape in (lesson.tape, again.tape):
        assert all(np.array_equal(tape[name], values) for name, values in before.items())


def test_another_image_goes_through_the_network_as_it_is_then(path):
    lesson = load_lesson(path).at_iteration(20)
    own, other = lesson.image, int(lesson.run.held_out[0])
    shown = lesson.choose(other)
    assert np.array_equal(shown.tape["conv1.w"], lesson.tape["conv1.w"])
    assert np.array_equal(shown.tape["conv1.x"], lesson.subject.samples.image(other))
    assert load_lesson(path, other, 20).tape["loss.value"] == shown.tape["loss.value"]
    assert lesson.heading == "A small net, iteration 20"
    assert shown.heading == f"A small net, iteration 20 with image {other}"
    assert shown.choose(own).heading == lesson.heading


def test_stops_may_belong_to_one_iteration(write, content):
    stops = [
        {"at": "fc", "caption": "Always."},
        {"at": "conv1", "caption": "At first.", "iteration": 0},
        {"at": "conv1", "caption": "Later.", "iteration": 20},
    ]
    lesson = load_lesson(
        write({**content, "training": TRAINING, "stops": stops}, images=IMAGES, labels=LABELS)
    )

    def said(at):
        return [stop.caption for stop in at.stops]

    assert said(lesson) == ["At first.", "Always."]
    assert said(lesson.at_iteration(1)) == ["Always."]
    assert said(lesson.at_iteration(20)) == ["Later.", "Always."]
    assert said(lesson.choose((lesson.image + 1) % 10)) == ["Always."]


def told(ask):
    with pytest.raises(CnnvizError) as error:
        ask()
    assert re.fullmatch(r"[^\n]+\.", str(error.value))
    return str(error.value)


def test_iterations_that_there_are_not(path):
    lesson = load_lesson(path)
    for index in (-1, 30):
        sentence = f"lesson has no iteration {index}; they are numbered 0 to 29."
        assert told(lambda index=index: lesson.at_iteration(index)) == sentence
    assert told(lambda: load_lesson("digits", iteration=0)) == (
        "digits has no training, and so no iterations to choose from."
    )
    assert told(lambda: load_lesson("chain-rule").at_iteration(0)).startswith("chain-rule has no training")


def test_a_learning_rate_too_large_is_told_and_what_is_done_is_kept(write, content):
    content["optimiser"]["lr"] = 1e300
    lesson = load_lesson(write({**content, "training": TRAINING}, images=IMAGES, labels=LABELS))
    sentence = told(lambda: lesson.at_iteration(29))
    assert sentence.startswith("Training has diverged at iteration ")
    assert "take a learning rate smaller than 1e+300" in sentence
    last = lesson.run.last
    assert lesson.at_iteration(last).program.state(0)
    assert told(lambda: lesson.at_iteration(last + 1)) == sentence


@pytest.mark.parametrize(
    "spoil, fault",
    [
        ({"iterations": 0}, "training.iterations: must be at least 1, is 0"),
        ({"iterations": 10**7}, "training.iterations: must be at most 1000000, is 10000000"),
        ({"held_out": 10}, "training.held_out: must be less than 10, the number of the images, is 10"),
        ({"held_out": -1}, "training.held_out: must be at least 0, is -1"),
        ({"measure": "x"}, "training.measure: must be a whole number, is 'x'"),
        ({"seed": -1}, "training.seed: must be at least 0, is -1"),
        ({"batch": 32}, "training.batch: is not known; there is iterations, held_out, measure, seed"),
    ],
)
def test_each_fault_of_the_table_is_named_with_its_place(write, content, spoil, fault):
    said = {**content, "training": TRAINING | spoil}
    assert fault in told(lambda: load_lesson(write(said, images=IMAGES, labels=LABELS)))


def test_all_faults_of_a_training_are_told_at_once(write, content):
    del content["loss"], content["optimiser"]
    content["input"]["show"] = 1
    content["training"] = {"iterations": 5}
    content["stops"] = [{"at": "fc", "caption": "Too late.", "iteration": 5}]
    sentence = told(lambda: load_lesson(write(content)))
    for fault in (
        "training: needs [loss]; add it",
        "training: needs [optimiser]; add it",
        "input.show: the order of the training says which image comes first",
        "stops[0].iteration: must be at most 4, is 5",
    ):
        assert fault in sentence


def test_held_out_ones_need_labels_and_a_stop_at_an_iteration_a_training(write, content):
    content["input"] = {"shape": [1, 4, 4], "values": [[[0.5] * 4] * 4], "target": [1, 0, 0]}
    content["training"] = TRAINING
    assert "training.held_out: accuracy is measured on labels" in told(lambda: load_lesson(write(content)))
    del content["training"]
    content["stops"] = [{"at": "fc", "caption": "Never.", "iteration": 5}]
    assert "stops[0].iteration: there is no [training]" in told(lambda: load_lesson(write(content)))


def test_the_captions_say_what_the_numbers_are(trained):
    first, second, again, hard = (trained.at_iteration(t) for t in (0, 1, 1500, 2681))
    run, labels = trained.run, trained.subject.samples.labels

    def rounded(values, places=2):
        return np.round(values, places).tolist()

    assert [labels[lesson.image] for lesson in (first, second, again, hard)] == [5, 7, 5, 8]
    assert rounded(first.tape["softmax.y"][[5, 7]]) == [0.08, 0.3]
    assert rounded(first.tape["softmax.y"][5], 3) == 0.077
    assert rounded(run.losses[[0, 2681]]) == [2.56, 7.3]
    assert rounded(run.losses[1500], 3) == 0.015
    assert np.nanargmax(run.losses[1500:]) == 2681 - 1500
    assert rounded(first.tape["softmax.dx"][[5, 7]]) == [-0.92, 0.3]
    assert first.tape["softmax.dx"].argmax() == 7
    assert first.tape["conv1.w"].size == 72
    moves = abs(first.tape["conv1.w_new"] - first.tape["conv1.w"])
    assert ((moves > 0).sum(), moves.max() < 0.011) == (70, True)
    assert rounded(second.choose(first.image).tape["softmax.y"][5]) == 0.22
    assert rounded(again.tape["softmax.y"][5]) == 0.99
    assert rounded(abs(again.tape["softmax.dx"]).max(), 3) == 0.015
    assert rounded(run.accuracies[1500]) == 0.97
    assert hard.tape["softmax.y"].argmax() == 1
    assert rounded(hard.tape["softmax.y"][1]) == 0.93


def test_every_stop_of_the_built_in_lesson_is_shown_at_its_iteration(trained):
    stops = [len(trained.at_iteration(t).stops) for t in (0, 1, 2, 1500, 2681)]
    assert stops == [8, 2, 1, 5, 2]


def test_both_views_of_an_input_gradient_are_kept_from_iteration_to_iteration(trained):
    here = trained.at_iteration(0).in_form("scattered")
    there = here.at_iteration(1500)
    assert (there.program.form, there.program.iteration) == ("scattered", 1500)
    gathered = trained.at_iteration(1500)
    assert [stop.caption for stop in there.stops] == [stop.caption for stop in gathered.stops]
    for one, other in zip(there.stops, gathered.stops, strict=True):
        one_step, other_step = there.program[one.index], gathered.program[other.index]
        assert one_step.operation.name == other_step.operation.name
        assert one_step.offset == other_step.offset
    back = there.in_form("gathered")
    assert [stop.index for stop in back.stops] == [stop.index for stop in gathered.stops]
    assert there.choose(3).program.form == "scattered"


# ----------------------------------------------------------------------------------- targets of one's own


POINTS = {
    "title": "Points",
    "sentence": "A line through them.",
    "input": {"shape": [1], "values": [[0], [1], [2]], "target": [[1], [3], [5]]},
    "layers": [{"name": "fc", "kind": "linear", "neurons": 1}],
    "loss": {"kind": "mean_squared_error"},
    "optimiser": {"kind": "sgd", "lr": 0.1},
    "parameters": {"fc": {"w": [[0]], "b": [0]}},
    "training": {"iterations": 500},
}


def test_a_line_is_learnt_from_three_points_again_and_again(write):
    lesson = load_lesson(write(POINTS))
    assert len(lesson.subject.samples) == 3
    assert sorted(lesson.run.image_of(t) for t in range(3)) == [0, 1, 2]
    assert [lesson.run.image_of(t) for t in range(3, 6)] == [lesson.run.image_of(t) for t in range(3)]
    there = lesson.at_iteration(499)
    for _ in lesson.run.work():
        pass
    assert (lesson.run.fault, lesson.run.accuracies) == ("", {})
    assert there.network.parameters["fc.w"][0, 0] == pytest.approx(2, abs=1e-6)
    assert there.network.parameters["fc.b"][0] == pytest.approx(1, abs=1e-6)
    assert there.choose(2).tape["loss.t"].tolist() == [5]
    assert [lesson.subject.samples.label(k) for k in range(3)] == ["(0)", "(1)", "(2)"]


def test_targets_stand_in_a_file_in_place_of_labels(write, content, tmp_path):
    content["loss"] = {"kind": "half_squared_error"}
    content["training"] = {"iterations": 5}
    path = write(content, images=IMAGES, labels=None, targets=np.arange(30.0).reshape(10, 3) / 30)
    lesson = load_lesson(path)
    assert lesson.tape["loss.t"].tolist() == (np.arange(3) / 30 + lesson.image / 10).tolist()
    both = {"images": IMAGES, "labels": LABELS, "targets": np.zeros((10, 3))}
    assert "has labels and targets; leave one" in told(lambda: load_lesson(write(content, **both)))
    few = {"images": IMAGES, "labels": None, "targets": np.zeros((9, 3))}
    assert "targets: has shape 9, but must have 10" in told(lambda: load_lesson(write(content, **few)))
    wide = {"images": IMAGES, "labels": None, "targets": np.zeros((10, 4))}
    assert "targets: has shape 10 × 4, but must have 10 × 3" in told(
        lambda: load_lesson(write(content, **wide))
    )


@pytest.mark.parametrize(
    ("table", "spoil", "fault"),
    [
        ("input", {"target": [[1], [3]]}, "input.target: has shape 2 × 1, but must have 3 × 1"),
        ("input", {"values": [[0, 1], [1, 1], [2, 1]]}, "input.values: has shape 2, but must have 1"),
        ("training", {"iterations": 5, "held_out": 1}, "training.held_out: accuracy is measured on labels"),
        ("optimiser", {"fixed": ["fc.c"]}, "optimiser.fixed: fc.c is not a parameter of the network"),
        ("optimiser", {"fixed": ["fc.w", "fc.b"]}, "training: no layer has parameters to learn"),
        ("optimiser", {"fixed": "fc.b"}, "optimiser.fixed: must be a list, is 'fc.b'"),
    ],
)
def test_what_does_not_fit_among_samples_is_told(write, table, spoil, fault):
    content = {**POINTS, table: {**POINTS[table], **spoil}}
    assert fault in told(lambda: load_lesson(write(content)))


def test_parameters_that_are_fixed_stay_through_a_training(write):
    content = {**POINTS, "optimiser": {"kind": "adam", "lr": 0.1, "fixed": ["fc.b"]}}
    content["parameters"] = {"fc": {"w": [[0]], "b": [0.5]}}
    there = load_lesson(write(content)).at_iteration(400)
    assert there.network.parameters["fc.b"].tolist() == [0.5]
    assert there.network.parameters["fc.w"][0, 0] > 1
    assert there.program.operations[-1].name == "fc.w"
