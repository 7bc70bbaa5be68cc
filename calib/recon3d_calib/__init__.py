"""Camera calibration: not in this version.

The package exists so that its place in the house (beside the command line, above io and core) is
held by the import contracts from the start.
"""
