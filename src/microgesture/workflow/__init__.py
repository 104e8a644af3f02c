"""The basis of the rules: the plan with its stamps, the resources of jobs, and the messages before and after a run."""
