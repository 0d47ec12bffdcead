#!/bin/sh
# Lists the devices of the factory.
set -eu
# shellcheck source=factory.sh
. "$(dirname "$0")/factory.sh"
usage='usage: cp-list-things.sh
Lists the devices. DV_ENDPOINT, PITHINGS_FLEET_TOKEN, TOKEN_FILE: as for cp-create-thing.sh'
help_wanted "$usage" "$@"
operation '{"operation" : "list-devices" }'
