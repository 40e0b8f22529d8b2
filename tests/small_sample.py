"""Flags of a polycrystal that is made in a moment."""

SMALL = ["--grains", "20", "--shape", "24", "20", "16", "--spacing", "0.5um", "--periodic", "xy"]
