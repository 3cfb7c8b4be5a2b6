"""Adam and AdamW with clipping."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cosim.training.gradients import adam_update

from .settings import TrainingSettings

# Adam's constants, as its authors recommend (arXiv 1412.6980).
BETA_MEAN, BETA_SQUARE, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980), its weight decay decoupled if asked for (Loshchilov and Hutter, arXiv 1711.05101).

    Parameters
    ----------
    parameters : mapping of ndarray
        Contiguous matrices, changed in place.
    settings : TrainingSettings
    decayed : mapping of int
        Rows of each parameter, from the first, that weight decay concerns.

    Attributes
    ----------
    mean, square : dict of ndarray
        Running means of each gradient and of its square.
    steps : int
    """

    def __init__(self, parameters: Mapping[str, np.ndarray], settings: TrainingSettings, decayed: Mapping[str, int]) -> None:
        self.parameters = parameters
        self.settings = settings
        self.decayed = decayed
        self.mean = {name: np.zeros_like(p) for name, p in parameters.items()}
        self.square = {name: np.zeros_like(p) for name, p in parameters.items()}
        self.steps = 0

    def step(self, gradients: Mapping[str, np.ndarray], rate: float) -> None:
        """Clips the gradients to a norm of ``settings.clip`` together and changes the parameters in place."""
        self.steps += 1
        norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))
        # A norm that is not a number must reach the weights, so that the next loss shows it.
        scale = 1.0 if norm <= self.settings.clip else self.settings.clip / norm
        weight_decay = self.settings.weight_decay
        adamw = self.settings.optimizer == "adamw"
        for name, p in self.parameters.items():
            split = self.decayed[name]
            for rows, decay in ((slice(0, split), weight_decay), (slice(split, None), 0.0)):
                numbers = (
                    scale,
                    1.0 - rate * decay if adamw else 1.0,
                    0.0 if adamw else decay,
                    rate,
                    BETA_MEAN,
                    BETA_SQUARE,
                    1.0 / (1.0 - BETA_MEAN**self.steps),
                    1.0 / (1.0 - BETA_SQUARE**self.steps),
                    EPSILON,
                )
                arrays = (a[rows].reshape(-1) for a in (p, gradients[name], self.mean[name], self.square[name]))
                adam_update(*arrays, *map(p.dtype.type, numbers))
