"""Where the log and the catalog meet."""
