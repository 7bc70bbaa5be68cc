"""One closed solid of a surface, for printing and for programs that reckon with bodies."""
