"""Actions → file lifetimes and versioned state. Pure: knows no log files and no SQL."""
