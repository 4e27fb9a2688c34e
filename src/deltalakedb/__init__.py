"""Delta Lake metadata in a SQL database: imported from the log, proven equal to it, and undone at any moment."""
