"""The devices of a machine, which one job holds at a time."""
