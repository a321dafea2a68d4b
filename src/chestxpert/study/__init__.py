"""Studies: `choose`, `sweep` and `plan` say what to run, `run` runs it, `stored` compares what was stored.

Only `run` loads torch.
"""
