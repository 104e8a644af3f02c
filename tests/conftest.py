"""What all tests share: each process computes on one core. Threads that wait for each other cost more than they save."""

import os

for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
