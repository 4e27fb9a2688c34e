"""Rows → what a database takes as it is, without a connection and without SQLAlchemy.

So the process that reads a log ahead (migrate/ahead.py) is ready in half the time: it loads none of either.
"""
