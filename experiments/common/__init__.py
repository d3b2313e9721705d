"""What the experiments share: data, run folders, the training loop, figures, reports."""
