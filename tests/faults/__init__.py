"""Faults, caused for real in programs of their own: what became of each record, and what the program noticed.

Every fault runs a small training program twice: once with `programs/without/cirron.py`, which does nothing, in
the place of cirron, and once recording. Exit code and output of the two must be the same, and what the program
says it recorded must be in the spool, at a server, or counted as lost. Linux only: mount namespaces, limits and
`/proc` are the means.
"""
