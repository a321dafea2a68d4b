"""How sure a figure is: intervals, analytic errors of AUROC, tests of paired differences, seeds beside patients."""
