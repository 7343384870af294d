"""Training on a GPU with JAX: an epoch is one compiled program, and crops and weights stay on the device.

`training.train` calls the backend once a batch and saves the model after each epoch; for the published network, whose
weights fill 1.1 GB, most of the time goes there. `trainer.train` gives the same losses to rounding.
"""
