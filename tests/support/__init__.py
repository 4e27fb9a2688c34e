"""What tests and benchmarks share: databases, logs written by hand, tables written by delta-rs."""
