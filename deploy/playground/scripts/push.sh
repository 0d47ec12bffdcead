#!/bin/sh
# Says what replaces it.
set -eu
cat <<'T'
There is no image to push: pithings fleet runs all devices in one process.

  pithings fleet --factory -n 100

Another version of the devices is another version of the program.
T
