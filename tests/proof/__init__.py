"""Proof that nothing recorded is lost, under kills, crowds, long runs and a hostile machine.

The programs in `programs/` record and are killed, starved or interrupted; the tests compare what can be read
afterwards with what a witness in shared memory saw them do. Linux only, for `/proc` tells what a process holds.
"""
