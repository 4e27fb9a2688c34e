"""One catalog → another database, with proof that both hold the same."""
