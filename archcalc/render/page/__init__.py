"""A report as one self-contained HTML page, and two networks side by side."""
