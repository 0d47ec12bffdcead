#!/bin/sh
# Makes devices publish the large payload, once a second.
set -eu
# shellcheck source=factory.sh
. "$(dirname "$0")/factory.sh"
usage='usage: send_large_payload.sh [NAME [TIMES]]
Has a device of pithings fleet --http, or each of them without NAME, publish 500 letters 10 times (TIMES),
once a second.
DV_WEBPAGE_URL       where the fleet is changed (http://127.0.0.1:8080)
PITHINGS_FLEET_TOKEN its token, or TOKEN_FILE, a file with it'
help_wanted "$usage" "$@"
url=$DV_WEBPAGE_URL
if [ -n "${1:-}" ]; then
	need_name "$1"
	url=$url/devices/$1
fi
i=${2:-10}
while [ "$i" -gt 0 ]; do
	answer=$(request -X POST -F action=large "$url/actions") || fail "$answer"
	case $answer in
	*'"ok":true'*) echo "Sent a large payload" ;;
	*) fail "$answer" ;;
	esac
	i=$((i - 1))
	[ "$i" -eq 0 ] || sleep 1
done
