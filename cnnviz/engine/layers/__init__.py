"""One file per layer: its vectorised maths first, then its listings."""
