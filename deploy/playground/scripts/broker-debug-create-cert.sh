#!/bin/sh
# Says what replaces it.
set -eu
cat <<'T'
A certificate for broker-debug.sh is made by the authority of your own broker:

  pithings provision local --dir pki --name broker-debug

It may read all by these lines in pki/acl, before "pattern"; then restart the broker:

  user broker-debug
  topic read #
  topic read $aws/#

  PKI=pki ./scripts/broker-debug.sh broker-debug
T
