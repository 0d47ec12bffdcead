# Read by the scripts of this folder: asks the device factory of pithings fleet --factory.
# shellcheck shell=sh

DV_ENDPOINT=${DV_ENDPOINT:-http://127.0.0.1:8080/factory}
DV_WEBPAGE_URL=${DV_WEBPAGE_URL:-${DV_ENDPOINT%/factory}}

fail() {
	echo "${0##*/}: $*" >&2
	exit 2
}

# help_wanted USAGE ARGUMENTS… prints the help and ends the script if the first argument asks for it.
help_wanted() {
	case ${2:-} in
	-h | --help)
		printf '%s\n' "$1"
		exit 0
		;;
	esac
}

# need_name NAME checks a name, which is put into JSON and paths.
need_name() {
	case ${1:-} in
	'' | *[!A-Za-z0-9:_-]*) fail "give the device's name, such as dev-QAUE (--help)" ;;
	esac
}

# authorization prints a line of curl's configuration: all users see the arguments of a program.
authorization() {
	token=${PITHINGS_FLEET_TOKEN:-}
	if [ -n "${TOKEN_FILE:-}" ]; then
		IFS= read -r token <"$TOKEN_FILE" || [ -n "$token" ] || fail "no token in $TOKEN_FILE"
	fi
	if [ -n "$token" ]; then
		printf 'header = "Authorization: Bearer %s"\n' "$token"
	fi
}

# request ARGUMENTS… calls curl, prints the answer, and fails if its status is not 200.
request() {
	answer=$(authorization | curl -sS -K - -w '\n%{http_code}' "$@") || exit 1
	code=${answer##*
}
	printf '%s\n' "${answer%?"$code"}"
	[ "$code" = 200 ]
}

# operation JSON asks the factory.
operation() {
	request "$DV_ENDPOINT" -d "$1"
}

# value KEY prints a text in the JSON on standard input.
value() {
	sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'
}
