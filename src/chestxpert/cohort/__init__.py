"""From label tables, or from the simulator, to a Cohort: one row per image, every patient on one side."""
