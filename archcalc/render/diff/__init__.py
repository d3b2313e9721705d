"""The differences of networks as text, JSON and Markdown."""
