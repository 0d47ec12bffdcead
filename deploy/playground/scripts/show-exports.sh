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

# export_line NAME VALUE prints a line for eval. The answer of a server must not run commands here: in
# single quotes a shell takes all but a quote as it is.
export_line() {
	case $2 in
	'' | *\'*) fail "$1 has no value for a shell: $2" ;;
	esac
	printf "export %s='%s'\n" "$1" "$2"
}

export_line DV_ENDPOINT "$DV_ENDPOINT"
export_line DV_WEBPAGE_URL "$DV_WEBPAGE_URL"
port=${DV_WEBPAGE_URL##*:}
export_line PORT "${port%%/*}"
if [ -n "${1:-}" ]; then
	need_name "$1"
	answer=$(operation "{\"operation\" : \"create-device\", \"device-type\": \"$1\" }") || fail "$answer"
	export_line DEV "$(printf '%s\n' "$answer" | value dev_name)"
	export_line CONFIG_FILE_URL "$(printf '%s\n' "$answer" | value config_file_url)"
fi
