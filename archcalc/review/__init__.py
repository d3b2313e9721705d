"""Figures that people state: checked against a network (`audit`), and traced back to layers (`explain`)."""
