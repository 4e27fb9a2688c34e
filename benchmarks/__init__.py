"""Benchmarks: `make bench`. Ratios against peers measured in the same run, in turn, medians of several runs."""
