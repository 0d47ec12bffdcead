#!/bin/sh
# Prints the variables with which other programs, and the other scripts, find fleet and device.
set -eu
# shellcheck source=factory.sh
. "$(dirname "$0")/factory.sh"
usage='usage: show-exports.sh [TYPE]
Prints lines for a shell, for eval. With a TYPE it makes a device first and prints
CONFIG_FILE_URL, from which pithings provision document takes the identity.
DV_ENDPOINT, PITHINGS_FLEET_TOKEN, TOKEN_FILE: as for cp-create-thing.sh'
help_wanted "$usage" "$@"
echo "export DV_ENDPOINT=\"$DV_ENDPOINT\""
echo "export DV_WEBPAGE_URL=\"$DV_WEBPAGE_URL\""
port=${DV_WEBPAGE_URL##*:}
echo "export PORT=${port%%/*}"
if [ -n "${1:-}" ]; then
	need_name "$1"
	answer=$(operation "{\"operation\" : \"create-device\", \"device-type\": \"$1\" }") || fail "$answer"
	echo "export DEV=\"$(printf '%s\n' "$answer" | value dev_name)\""
	echo "export CONFIG_FILE_URL=\"$(printf '%s\n' "$answer" | value config_file_url)\""
fi
