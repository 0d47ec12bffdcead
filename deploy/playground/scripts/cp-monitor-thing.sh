#!/bin/sh
# Shows the name, state and address of a device, again and again.
set -eu
# shellcheck source=factory.sh
. "$(dirname "$0")/factory.sh"
usage='usage: cp-monitor-thing.sh NAME [TIMES]
Shows name, status (PROV, RUNNING) and address of a device every 5 s, TIMES times or for ever.
SECONDS_BETWEEN      another pause, in seconds
DV_ENDPOINT, PITHINGS_FLEET_TOKEN, TOKEN_FILE: as for cp-create-thing.sh'
help_wanted "$usage" "$@"
need_name "${1:-}"
times=${2:-0}
done=0
while :; do
	answer=$(operation "{\"operation\" : \"describe-device\", \"device-id\": \"$1\" }") || {
		printf '%s\n' "$answer" >&2
		exit 1
	}
	for key in dev-name Status ip; do
		printf '"%s"\n' "$(printf '%s\n' "$answer" | value "$key")"
	done
	done=$((done + 1))
	[ "$done" != "$times" ] || exit 0
	sleep "${SECONDS_BETWEEN:-5}"
done
