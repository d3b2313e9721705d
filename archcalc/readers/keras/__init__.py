"""Keras configurations read as data: nothing they name is imported, called or looked up."""
