"""Training: data in batches, optimizers, and programs that run many steps."""
