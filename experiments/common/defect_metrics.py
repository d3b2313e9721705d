"""The area under the ROC curve of the last unit's score, for one unit and for two."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("archcalc")
class ScoreAUC(keras.metrics.AUC):
    """Keras's AUC of the last unit alone, which is the probability of a defect."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(y_true, y_pred[:, -1:], sample_weight)
