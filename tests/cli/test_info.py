"""`cnnviz info` lists what a lesson computes."""

import pytest

from cnnviz.cli import output
from cnnviz.lesson.lesson import load_lesson


def test_info_lists_every_operation(run):
    status, out, _ = run("info", "digits", "--image", 7)
    program = load_lesson("digits", 7).program

    assert status == 0
    assert "image 7 of 360, numbered from 0, whose class is" in out
    for operation in program.operations:
        (line,) = (line for line in out.splitlines() if line.startswith(f"{operation.name} "))
        assert line.split()[1] == operation.phase
        assert line.split()[-2:] == [operation.tree.name, f"{len(operation):,}"]
    assert out.rstrip().endswith(f" {len(program):,}")
    assert "4 × 1 × 3 × 3" in out
    assert "  conv2  8 · 4 · 3 · 3 + 8 = 296  8 · 4 · 4 · 4 · 3 · 3 = 4,608\n" in out


def test_info_shows_listings(run, lesson):
    _, out, _ = run("info", lesson, "--listings")
    assert "def relu(x, y, C, H, W):\n    for c in range(C):" in out


TYPED = "f = (x + y) * z   x=-2 y=5 z=-4"


@pytest.mark.parametrize("source", ["chain-rule", TYPED])
def test_info_lists_expressions_and_what_they_compute(run, source):
    status, said, complained = run("info", source, "--listings")
    assert (status, complained) == (0, "")
    assert "→ 0  (x + y) * z   x=-2 y=5 z=-4" in said
    assert "f.backward  backward  df, dq, dz, dx, dy  backward      5" in said
    assert "def backward(z, q):\n    df = 1.0\n    dq = df * z\n    dz = df * q\n    dx = dq\n" in said


def test_a_view_of_an_input_gradient_that_nobody_computes_is_refused(run):
    status, _, error = run("info", "relu", "--input-gradient", "scattered")
    assert status == 2
    assert (
        error
        == "cnnviz: relu has no convolution whose input gradient is computed, so none can be scattered.\n"
    )


def test_info_of_a_training_says_how_far_it_is(run):
    status, out, _ = run("info", "training", "--iteration", 100)
    training = load_lesson("training", iteration=100).run
    assert status == 0
    assert "Training: 3,000 iterations of one sample each, out of 1,500; 297 are held out" in out
    training_loss = load_lesson("training", iteration=100).tape["loss.value"]
    assert f"Iteration 100: loss {training_loss:.6g}" in out
    assert f"Before iteration 100, {training.accuracies[100]:.1%} of the held-out images" in out
    assert "image 419 of 1797" in run("info", "training")[1]


def test_progress_of_a_training_without_a_terminal(run, monkeypatch):
    monkeypatch.setattr(output, "PROGRESS_SECONDS", 0.0)
    status, _, err = run("info", "training", "--iteration", 3)
    assert (status, err.splitlines()[-1]) == (0, "cnnviz: 3 of 3 iterations …")


def test_info_of_a_training_without_held_out_samples_speaks_of_none(run, tmp_path):
    path = tmp_path / "points.toml"
    path.write_text(
        'title = "Points"\nsentence = "Two."\nseed = 1\n'
        "[input]\nshape = [1]\nvalues = [[0], [1]]\ntarget = [[1], [3]]\n"
        '[[layers]]\nname = "fc"\nkind = "linear"\nneurons = 1\n'
        '[loss]\nkind = "mean_squared_error"\n[optimiser]\nkind = "sgd"\nlr = 0.1\n'
        "[training]\niterations = 20\n",
        encoding="utf-8",
    )
    status, out, _ = run("info", str(path))
    assert status == 0
    assert "Training: 20 iterations of one sample each, out of 2\n" in out
    assert "held out" not in out
