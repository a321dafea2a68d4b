"""The command line: one file a command. It parses, calls and prints; what is decided is decided below.

Nothing heavy is imported at the top of these modules, so that ``--help`` answers at once.
"""
