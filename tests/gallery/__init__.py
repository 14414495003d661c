"""A gallery of all lessons, to be looked at: `make gallery`."""
