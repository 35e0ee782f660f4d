"""Measuring Atlas: benchmarks of the leaves, load beside its peers, guarded instruction counts. See README.md."""
