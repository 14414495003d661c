"""Pictures go from height × width × depth into channels, and stay the same numbers."""

import numpy as np

from cnnviz.engine.pixels import Album, Picture

RGB = np.arange(2 * 3 * 3, dtype=float).reshape(2, 3, 3)


def test_a_channel_holds_one_number_of_each_pixel():
    tape = Album((Picture("rgb", RGB),)).run()
    assert tape["rgb.x"].shape == (3, 2, 3)
    assert (tape["rgb.x"][1] * 255).round(9).tolist() == [[1, 4, 7], [10, 13, 16]]


def test_black_is_0_and_white_is_1():
    tape = Album((Picture("grey", np.array([[[0.0], [255.0]]])),)).run()
    assert tape["grey.x"].tolist() == [[[0, 1]]]


def test_pictures_are_read_one_after_the_other():
    album = Album((Picture("rgb", RGB), Picture("grey", RGB[..., :1])))
    calls = album.calls(album.run())
    assert [(call.name, call.phase, call.given["D"]) for call in calls] == [
        ("rgb", "forward", 3),
        ("grey", "forward", 1),
    ]
