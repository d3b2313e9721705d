"""Graphs written out: as specs, and as readable Keras code."""
