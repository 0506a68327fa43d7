"""The mn networks' own head: what AudioSet's 527 classes make of an embedding."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Head:
    """Linear, hardswish, linear.

    ``hidden_weight`` is (n_hidden, embedding_dim), ``output_weight`` (n_classes, n_hidden).
    """

    hidden_weight: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output_weight: NDArray[np.float32]
    output_bias: NDArray[np.float32]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn embeddings, shape=(n_clips, embedding_dim), into logits, (n_clips, n_classes)."""
        hidden = embeddings @ self.hidden_weight.T + self.hidden_bias
        hidden *= np.clip(hidden + 3, 0, 6) / 6
        logits = hidden @ self.output_weight.T + self.output_bias
        return logits.astype(np.float32, copy=False)
