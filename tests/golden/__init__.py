"""Pictures of telling frames, which the painter is held to; written anew by ``python -m tests.golden``."""
