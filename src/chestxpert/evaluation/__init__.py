"""From predictions and a cohort to an answer; never from a model, never from an image."""
