#!/bin/sh
# Makes a device at the factory and prints its answer.
set -eu
# shellcheck source=factory.sh
. "$(dirname "$0")/factory.sh"
usage='usage: cp-create-thing.sh [TYPE]
Makes a device: generic (as without TYPE), bulb, switch, controlled or telemetry.
DV_ENDPOINT          the factory (http://127.0.0.1:8080/factory)
PITHINGS_FLEET_TOKEN its token, or TOKEN_FILE, a file with it'
help_wanted "$usage" "$@"
type=${1:-generic}
need_name "$type"
operation "{\"operation\" : \"create-device\", \"device-type\": \"$type\" }"
