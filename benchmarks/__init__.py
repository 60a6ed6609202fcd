"""What siege_nb takes, beside what a user would pick instead and beside the limit, measured in one run."""
