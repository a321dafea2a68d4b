"""Networks: backbones and their weights, the study's head, one head a decision, and the two put together."""
