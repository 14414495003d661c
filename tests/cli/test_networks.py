"""Networks of other programs on the command line: what goes in, what should come out, up to where."""

import numpy as np
import pytest

from tests.formats.reference import DATA, close, reference

LENET, UNET = DATA / "lenet.legacy.onnx", DATA / "residual.legacy.onnx"


def test_info_tells_its_names_and_notes(run):
    status, said, complained = run("info", UNET)
    assert (status, complained) == (0, "")
    assert said.startswith(
        "residual.legacy.onnx (residual.legacy)\nA network of 12 layers, saved by pytorch 2.13.0."
    )
    assert "Its input is all zeros, because none was given (--input)." in said
    assert "down_0 is /down/down.0/Conv" in said


def test_a_label_adds_a_loss_and_no_layer(run):
    _, said, _ = run("info", LENET, "--label", 3)
    _, alone, _ = run("info", LENET)
    assert "cross_entropy_with_logits" in said and "softmax" not in said
    assert said.splitlines()[1] == alone.splitlines()[1]


def test_dump_computes_what_the_framework_does(run, tmp_path):
    wanted = reference(LENET)
    np.save(tmp_path / "x.npy", wanted["x"])
    status, _, _ = run("dump", LENET, "--input", tmp_path / "x.npy", "--label", 3, "-o", tmp_path / "out.npz")
    assert status == 0
    with np.load(tmp_path / "out.npz") as arrays:
        assert close(arrays["fc2.y"], wanted["y"][0], 1e-10)
        assert close(arrays["conv1.dw"], wanted["d:conv1.weight"], 1e-10)


def test_export_opens_it_again_in_other_processes(run, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((1, 12, 12)))
    words = ("--input", tmp_path / "x.npy", "--up-to", "pool1", "--every", "layer", "--size", "320x180")
    status, _, _ = run("export", LENET, *words, "-o", tmp_path / "frames")
    assert status == 0
    assert len(list((tmp_path / "frames").glob("*.png"))) >= 3


@pytest.mark.parametrize("words", [(), ("open",)])
def test_the_window_is_opened_with_all_of_it(words, monkeypatch, run):
    from cnnviz import app

    asked = []
    monkeypatch.setattr(app, "_show", lambda lesson, changes, said: asked.append(lesson) or 0)
    status, _, _ = run(*words, LENET, "--input", "a b.png", "--label", 3, "--up-to", "fc2")
    assert (status, asked) == (0, [f"{LENET}?input=a%20b.png&label=3&up_to=fc2"])


def test_what_goes_with_networks_is_refused_for_lessons(run):
    status, _, complained = run("info", "digits", "--label", 3)
    assert status == 2
    assert complained == "cnnviz: --label goes with a network of another program, net.onnx for instance.\n"
