#!/bin/sh
# Runs a program with a small file system in memory at the folder ROOT, whose content is there again afterwards:
# mounted.sh OPTIONS ROOT COMMAND... in a mount namespace of its own.
set -e
options=$1 root=$2
shift 2
mkdir -p "$root"
mount -t tmpfs -o "$options" none "$root"
set +e
"$@"
exit_code=$?
set -e
kept=$(mktemp -d)
while grep -q " $root/" /proc/self/mounts; do umount "$root/spool"; done # what the program mounted inside
cp -R "$root/." "$kept"
umount "$root"
cp -R "$kept/." "$root"
rm -r "$kept"
exit $exit_code
