"""The machine that a job runs on: what the job may use of it, and devices that one job holds at a time."""
