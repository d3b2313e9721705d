"""Live models are traced: custom layers and subclassed models become known layers and operations."""
