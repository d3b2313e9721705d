"""Every experiment by name; a new one is one file and one line here."""

from __future__ import annotations

from archcalc.errors import did_you_mean
from experiments.augmentation import Augmentation
from experiments.cnn_limits import CnnLimits
from experiments.common.errors import ExperimentError
from experiments.common.experiment import Experiment
from experiments.conv_vs_local import ConvVsLocal
from experiments.defect_detection import DefectDetection
from experiments.fitting import Fitting
from experiments.gradient_flow import GradientFlow
from experiments.image_classifier import ImageClassifier
from experiments.modalities import Modalities
from experiments.segmentation import Segmentation
from experiments.stride_vs_pooling import StrideVsPooling
from experiments.transfer import Transfer

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        ImageClassifier(),
        Augmentation(),
        Fitting(),
        Transfer(),
        Segmentation(),
        GradientFlow(),
        ConvVsLocal(),
        StrideVsPooling(),
        DefectDetection(),
        Modalities(),
        CnnLimits(),
    )
}


def find(name: str) -> Experiment:
    """The experiment of that name; ExperimentError with what was probably meant otherwise."""
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    meant = did_you_mean(name, EXPERIMENTS, f"known: {', '.join(EXPERIMENTS)}")
    raise ExperimentError(f"{name}: no such experiment{meant}")
