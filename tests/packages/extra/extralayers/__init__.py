"""A package beside archcalc with two layers: what Keras runs, and what archcalc computes from."""
