"""One picture per kind of operation: (moment, area, unit) to marks."""
