#!/bin/sh
# Queues a job at pithings cloud and shows what comes of it.
set -eu
# shellcheck source=factory.sh
. "$(dirname "$0")/factory.sh"
usage='usage: create-job.sh rc|fw|cu NAME [SECONDS]
Queues a job for a device at the pithings cloud of this machine and shows it three times, SECONDS (3) apart:
rc (rotate-cert), cu (change-unit), or fw (update-firmware).
CLOUD_STATE          the state folder of the cloud (pithings cloud --state)
CONFIG_FILE_URL      where the new certificate is, FIRMWARE_FILE_URL the firmware, UNIT the unit (imperial)
PITHINGS             the program (pithings)'
help_wanted "$usage" "$@"
need_name "${2:-}"
case ${1:-} in
rc) action=rotate-cert key=config_file_url value=${CONFIG_FILE_URL:-https://example.invalid/$2.cfg} ;;
fw) action=update-firmware key=firmware_file_url value=${FIRMWARE_FILE_URL:-https://example.invalid/firmware} ;;
cu) action=change-unit key=unit value=${UNIT:-imperial} ;;
*) fail "give rc, fw or cu (--help)" ;;
esac
case $value in
*[\"\\]*) fail "$key has a quote or a backslash" ;;
esac
job() {
	"${PITHINGS:-pithings}" cloud job "$@" ${CLOUD_STATE:+--state "$CLOUD_STATE"}
}
id=$(job create "$2" "{\"action\":\"$action\",\"$key\":\"$value\"}")
echo "Creating job $id"
echo "JOB ACTION $action"
for i in 1 2 3; do
	echo "$i - Check job..."
	job list "$2" | grep -F "$id"
	[ "$i" = 3 ] || sleep "${3:-3}"
done
