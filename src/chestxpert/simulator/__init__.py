"""Simulated chest X-rays in NIH's layout: an instrument for the demo and the tests, plainly marked as simulated.

Geometry, anatomy and exposure draw a chest; one sign for each finding changes it; the population decides who has
what; the writer puts it on disk. Nothing here knows of cohorts, stores or networks.
"""

from chestxpert.simulator.simulation import SimulationReport, simulate

__all__ = ["SimulationReport", "simulate"]
