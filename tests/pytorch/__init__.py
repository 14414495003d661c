"""The same networks in PyTorch: the numbers that outputs, losses and gradients are held against."""
