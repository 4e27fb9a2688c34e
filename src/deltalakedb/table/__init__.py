"""Reading tables from SQL: a predicate is pruned in the database, and engines read the files that are left."""
