"""Studies: `plan` says what to run, `run` runs it, `stored` compares what was stored.

`side_by_side` and `worker` are two ends of pipes. Only `plan` and `stored` do without torch.
"""
