"""What a training step and a forward pass hold, counted and as TensorFlow's allocator measures it."""
