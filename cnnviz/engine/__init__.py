"""What a network computes: layers, losses and optimisers in plain NumPy, and their listings."""
