"""Training: the loop, what feeds it, and the run folder it leaves behind."""
