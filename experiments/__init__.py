"""Trainings in full of what archcalc analyses: predicted first, measured afterwards, kept for good."""
