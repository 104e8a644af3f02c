"""What all tests share: each process computes on one core, since threads that wait cost more than they save."""

import os

for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from microgesture.videos import isolation  # noqa: E402

# A job starts few processes for clips. The tests start hundreds, each of which would import these for half a second.
isolation.PRELOADED += [
    "microgesture.corpora.measuring",
    "microgesture.modalities.face",
    "microgesture.modalities.learned_flow",
]
