"""The SQL catalog: knows SQL, never log files."""
