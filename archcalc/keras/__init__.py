"""What needs Keras: live models in and out, measurement, and LocallyConnected layers for Keras 3."""
