"""ChestXpert: honest comparison of flat and hierarchical classifiers on long-tailed chest X-rays.

A research tool, not a medical device. Importing this package imports nothing heavy and does nothing.
"""

__version__ = "0.1.0"
