"""Seals the journals of the dead: `recover.py ROOT`. Prints `ready`, then how many journals it sealed."""

import sys

from cirron.spool import seal_dead_journals

print("ready", flush=True)
print(len(seal_dead_journals(sys.argv[1])))
