"""The desktop program: not in this version.

The package exists so that its place in the house (above the pipeline, imported by nobody) is held
by the import contracts from the start.
"""
