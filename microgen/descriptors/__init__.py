"""Pure functions from a segmented Microstructure to a Distribution, a curve or a number; and distances between them."""
