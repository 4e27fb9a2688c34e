"""One module a command; each is `command`, and imports the library only when it runs."""
