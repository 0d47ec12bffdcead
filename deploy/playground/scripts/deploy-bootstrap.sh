#!/bin/sh
# Says what replaces it.
set -eu
cat <<'T'
There is no cloud stack to deploy. A broker, a cloud and a factory of your own are

  mosquitto -p 1883 &
  pithings cloud -e mqtt://127.0.0.1 --state cloud &
  pithings fleet --factory -n 100
T
