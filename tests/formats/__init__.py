"""Files of other programs; data/ has some that PyTorch and Keras wrote, with what these compute."""
