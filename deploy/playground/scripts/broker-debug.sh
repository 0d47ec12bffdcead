#!/bin/sh
# Shows all that passes a broker.
set -eu
# shellcheck source=factory.sh
. "$(dirname "$0")/factory.sh"
usage='usage: broker-debug.sh [NAME]
Shows all messages of a broker with mosquitto_sub, as the client NAME-debug (broker-debug).
CRED_ENDPOINT        the broker (127.0.0.1)
BROKER_PORT          its port (8883 with PKI, else 1883)
PKI                  the folder of provision local: the certificate of NAME in it is used, which has to be
                     allowed to read all (broker-debug-create-cert.sh says how)'
help_wanted "$usage" "$@"
DEV=${1:-broker-debug}
need_name "$DEV"
if [ -n "${PKI:-}" ]; then
	set -- -p "${BROKER_PORT:-8883}" --cafile "$PKI/ca.pem" --cert "$PKI/devices/$DEV/device.crt" --key "$PKI/devices/$DEV/device.key"
else
	set -- -p "${BROKER_PORT:-1883}"
fi
exec mosquitto_sub -h "${CRED_ENDPOINT:-127.0.0.1}" "$@" -d -v -i "${DEV%-debug}-debug" -t "dt/ac/company1/area1/#" -t "#" -t "\$aws/things/#"
