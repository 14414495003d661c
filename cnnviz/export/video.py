"""Frames as a film that any player shows: H.264 in MP4."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fractions import Fraction
from io import BytesIO

import numpy as np

from cnnviz.errors import CnnvizError
from cnnviz.export.frames import Shown
from cnnviz.export.png import picture
from cnnviz.text import tr

FRAMES_A_SECOND = 2
"""How many steps are shown in a second."""


def write_mp4(shown: Shown, steps: Sequence[int]) -> Generator[int, None, bytes]:
    """Yield how many frames are in the film, and return it.

    Raises
    ------
    CnnvizError
        If PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise CnnvizError(
            tr("Films need PyAV, which is not installed: pip install 'cnnviz[video]'.")
        ) from error
    file = BytesIO()
    with av.open(file, "w", format="mp4") as film:
        # Half as many colours as points, which all players take, needs an even size.
        width, height = (int(side) // 2 * 2 for side in (shown.view.width, shown.view.height))
        stream = film.add_stream("libx264", rate=Fraction(FRAMES_A_SECOND), options=_CODING)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        image = None
        for done, index in enumerate(steps, 1):
            image = picture(shown, index, image)
            rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)
            frame = av.VideoFrame.from_numpy_buffer(rows[:height, :width], format="bgra")
            film.mux(stream.encode(frame))
            yield done
        film.mux(stream.encode(None))
    return file.getvalue()


# Text stays sharp. With less haste ("veryfast") files are a third smaller, and take a tenth more time in all.
_CODING = {"preset": "superfast", "crf": "16", "tune": "stillimage"}
