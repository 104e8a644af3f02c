"""What the rules of the workflow stand on: the plan with its stamps, what jobs claim, and what is said around a run."""
