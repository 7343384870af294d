"""The bootstrap over people, of which every interval in the course is made."""

import numpy as np
from numpy.typing import NDArray


def times_drawn(people: int, *, samples: int, seed: int) -> NDArray[np.int64]:
    """Return how often each person is in each bootstrap sample, int64 (samples, people); each row sums to `people`."""
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=samples)
