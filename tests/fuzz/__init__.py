"""Fuzzing of the compiled protocol, through a fake transport."""
