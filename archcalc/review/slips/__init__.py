"""The catalogue of slips: rules by which people miscount, each a change of what was right.

A slip is named only where the figure that it leads to is the stated one. None is written for one example.
"""
