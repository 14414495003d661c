"""Start cnnviz: ``python main.py [LESSON or FILE]``."""

import sys


def start() -> int | None:
    try:
        from cnnviz.app import main

        return main()
    except ImportError as error:
        missing = error.name or "a system library"
        if missing.partition(".")[0] == "cnnviz":  # our own mistake, which a set-up would not mend
            raise
        command = "py .ci\\setup.py run" if sys.platform == "win32" else "make run"
        print(
            f"cnnviz cannot start, because {missing} is missing here ({error}): "
            f"start it with `{command}`, which installs what it needs.",
            file=sys.stderr,
        )
        return 2


if __name__ == "__main__":
    sys.exit(start())
