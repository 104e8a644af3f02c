"""What all tests share: each process computes on one core, since threads that wait cost more than they save."""

import os

for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
