"""Start cnnviz: ``python main.py [LESSON or FILE]``."""

import sys

if __name__ == "__main__":
    try:
        from cnnviz.app import main

        sys.exit(main())
    except KeyboardInterrupt:  # before the program could hear it
        sys.exit(130)
