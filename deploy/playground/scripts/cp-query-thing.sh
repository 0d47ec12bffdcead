#!/bin/sh
# Describes a device of the factory.
set -eu
# shellcheck source=factory.sh
. "$(dirname "$0")/factory.sh"
usage='usage: cp-query-thing.sh NAME
Describes a device. DV_ENDPOINT, PITHINGS_FLEET_TOKEN, TOKEN_FILE: as for cp-create-thing.sh'
help_wanted "$usage" "$@"
need_name "${1:-}"
operation "{\"operation\" : \"describe-device\", \"device-id\": \"$1\" }"
