"""Studies: `choose`, `sweep` and `plan` say what to run, `run` runs it, `stored` compares what was stored.

`side_by_side` and `worker` are two ends of pipes. `run`, `worker` and `times` load torch.
"""
