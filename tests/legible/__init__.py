"""How large the smallest text and the smallest number are, of each lesson's stops, in each size."""
