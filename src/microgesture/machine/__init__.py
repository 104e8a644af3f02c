"""The machine of a job: the resources that the job may use, and exclusive locks on devices."""
