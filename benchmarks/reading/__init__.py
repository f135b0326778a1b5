"""What reading a spool costs: each command in a process of its own, on millions of spans and on many files."""
