package config

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"

	"pithings/conf"
	"pithings/things"
)

// aws is an endpoint that needs nothing more.
const aws = "mqtt: {endpoint: a1-ats.iot.eu-west-1.amazonaws.com, cert: c, key: k}\n"

const head = "mqtt: {endpoint: mqtt://h}\n"

// messages are mistakes that people make, and the line that each gives. schema
// marks those that the JSON Schema finds too.
var messages = []struct {
	name, text, want string
	schema           bool
}{
	{"empty file", "", `c.yaml: the file is empty; pithings config example shows one to start from`, false},
	{"comments only", "# nothing\n", `c.yaml: the file is empty; pithings config example shows one to start from`, false},
	{"two documents", head + "---\nthings: []\n", `c.yaml:3:1: a second YAML document begins here; a configuration is one document`, false},
	{"directive", "%YAML 1.2\n---\n" + head, `c.yaml:1:1: YAML directives (%…) are not supported; remove the line`, false},
	{"a word", "hello\n", `c.yaml:1:1: configuration: a single value stands where "key: value" lines belong`, false},
	{"a list", "- a\n", `c.yaml:1:1: configuration: a list stands where "key: value" lines belong`, false},
	{"tab", "mqtt:\n\tendpoint: mqtt://h\n", `c.yaml:2:1: this line is indented with a tab; YAML takes spaces only`, false},
	{"tab after spaces", "mqtt:\n  \tendpoint: mqtt://h\n", `c.yaml:2:3: this line is indented with a tab; YAML takes spaces only`, false},
	{"not UTF-8", "state: \"\xff\"\n", `c.yaml:1:1: this line is not valid UTF-8; save the file as UTF-8`, false},
	{"binary", "a: \x00\n", `c.yaml:1:1: this line has a NUL character; is this a text file?`, false},
	{"open bracket", "things: [1, 2\nstate: x\n", `c.yaml:2:1: not YAML: a list that begins with [ lacks a comma or its ]`, false},
	{"open brace", "mqtt: {endpoint: x\n", `c.yaml:1:7: not YAML: a mapping that begins with { lacks its }`, false},
	{"open quote", "state: 'x\n", `c.yaml:1:8: not YAML: a text that begins with ' lacks its closing quote`, false},
	{"second colon", "state: a: b\n", `c.yaml:1:8: not YAML: a second ": " in one value; put the value in quotes`, false},
	{"uneven indentation", " state: a\nlog: {}\n", `c.yaml:2:1: not YAML: this line is indented differently from its neighbours`, false},
	{"no colon", "state\nlog: {}\n", `c.yaml:1:1: not YAML: this key has no ": " after it`, false},
	{"tag", head + "state: !!str x\n", `c.yaml:2:8: YAML tags (!!str) are not supported; remove it`, false},
	{"alias of nothing", head + "state: *x\n", `c.yaml:2:8: alias "*x" has no anchor "&x" before it`, false},

	{"misspelt key", head + "things:\n  - name: x\n    type: environment\n    interal: 3s\n",
		`c.yaml:5:5: thing "x": unknown key "interal"; did you mean "interval"?`, true},
	{"misspelt section", "mqqt: {endpoint: mqtt://h}\n" + "things: [{name: x, type: camera}]\nbroker: {listen: 127.0.0.1:1}\n",
		`c.yaml:1:1: configuration: unknown key "mqqt"; did you mean "mqtt"?`, true},
	{"unknown key", head + "log: {colour: red}\nthings: [{name: x, type: camera}]\n", `c.yaml:2:7: log: unknown key "colour"; known: level, format`, true},
	{"nested misspelt key", "mqtt: {endpoint: mqtt://h, reconnect: {maxx: 3s}}\nthings: [{name: x, type: camera}]\n",
		`c.yaml:1:40: reconnect: unknown key "maxx"; did you mean "max"?`, true},
	{"key of another type", head + "things: [{name: x, type: camera, pin: GPIO17}]\n",
		`c.yaml:2:34: thing "x": key "pin" belongs to {with pin}, and this thing is of type camera`, true},
	{"key of two other types", head + "things: [{name: x, type: environment, device: /dev/fb0}]\n",
		`c.yaml:2:39: thing "x": key "device" belongs to {with device}, and this thing is of type environment`, true},
	{"thing's key at the top", head + "pin: GPIO17\nthings: [{name: x, type: camera}]\n",
		`c.yaml:2:1: configuration: key "pin" belongs to a thing, in the list "things"`, true},
	{"key twice", head + "state: a\nstate: b\nthings: [{name: x, type: camera}]\n", `c.yaml:3:1: key "state" is given twice; the first is at 2:1`, false},
	{"no value", head + "state:\nthings: [{name: x, type: camera}]\n", `c.yaml:2:1: state has no value; give it one or remove the line`, true},
	{"list for a value", head + "state: [a]\nthings: [{name: x, type: camera}]\n", `c.yaml:2:8: state: a list stands where a single value belongs`, true},
	{"value for a list", head + "things: x\n", `c.yaml:2:9: things: a single value stands where a list belongs; begin each item with "- "`, true},
	{"mapping for a list", head + "things: {name: x}\n", `c.yaml:2:9: things: a mapping (key: value) stands where a list belongs; begin each item with "- "`, true},
	{"value for a mapping", "mqtt: mqtts://h\n", `c.yaml:1:7: mqtt: a single value stands where "key: value" lines belong`, true},
	{"text for a number", head + "things: [{name: x, type: camera, quality: high}]\n", `c.yaml:2:43: quality: "high" is not a whole number`, true},
	{"quoted number", head + "things: [{name: x, type: camera, quality: \"85\"}]\n", `c.yaml:2:43: quality: write 85 without quotes`, true},
	{"fraction for a number", head + "things: [{name: x, type: camera, quality: 8.5}]\n", `c.yaml:2:43: quality: "8.5" is not a whole number`, true},
	{"yes for true", head + "things: [{name: x, type: camera, keep_open: yes}]\n", `c.yaml:2:45: keep_open: "yes" is neither true nor false`, true},
	{"true for a text", head + "state: true\nthings: [{name: x, type: camera}]\n", `c.yaml:2:8: state: put true in quotes if it is meant as a text`, true},
	{"out of range", head + "things: [{name: x, type: camera, quality: 101}]\n", `c.yaml:2:43: quality: "101" is out of range; from 1 to 100`, true},
	{"not a choice", head + "things: [{name: x, type: motion, pin: GPIO1, publish: bothe}]\n",
		`c.yaml:2:55: publish: "bothe" is not one of detected, both; did you mean "both"?`, true},
	{"not a choice of numbers", head + "things: [{name: x, type: screen, rotate: 45}]\n", `c.yaml:2:42: rotate: "45" is not one of 0, 90, 180, 270`, true},
	{"control character", head + "state: \"a\\u0007\"\nthings: [{name: x, type: camera}]\n", `c.yaml:2:8: state: control character U+0007 is not allowed`, false},

	{"duration without unit", head + "things: [{name: x, type: environment, interval: 3}]\n", `c.yaml:2:49: interval: "3" has no unit; write 3s or 3ms`, true},
	{"not a duration", head + "things: [{name: x, type: environment, interval: fast}]\n", `c.yaml:2:49: interval: "fast" is not a duration; write 500ms, 3s or 1m30s`, true},
	{"duration too short", head + "things: [{name: x, type: environment, interval: 1ms}]\n", `c.yaml:2:49: interval: "1ms" is out of range; from 100ms to 24h`, false},
	{"negative duration", head + "things: [{name: x, type: screen, clear_after: -1s}]\n", `c.yaml:2:47: clear_after: "-1s" is negative`, true},
	{"not a size", head + "things: [{name: x, type: camera, size: big}]\n", `c.yaml:2:40: size: "big" is not a size; write WIDTHxHEIGHT in pixels, for example 1280x720`, true},
	{"size of nothing", head + "things: [{name: x, type: camera, size: 0x0}]\n", `c.yaml:2:40: size: "0x0" is out of range; a side has 1 to 16384 pixels`, true},
	{"not an amount", head + "pictures: {max_bytes: 64 megs}\nthings: [{name: x, type: camera}]\n", `c.yaml:2:23: max_bytes: "64 megs" is not an amount of bytes; write 512KiB, 64MiB or 1GiB`, true},
	{"amount overflows", head + "pictures: {max_bytes: 9999999999GiB}\nthings: [{name: x, type: camera}]\n", `c.yaml:2:23: max_bytes: "9999999999GiB" is too large`, false},
	{"not a rate", "mqtt: {endpoint: mqtt://h, drain: fast}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:35: drain: "fast" is not a rate; write 2/s, 30/min or unlimited`, true},
	{"not an address", head + "things: [{name: x, type: environment, address: 0x40}]\n", `c.yaml:2:48: address: "0x40" is not an address of a BME680; write 0x76, 0x77 or auto`, true},

	{"version of the future", "version: 2\nbroker: {listen: 127.0.0.1:1}\nthings: [{name: x, type: camera}]\n",
		`c.yaml:1:10: version: 2 is newer than this pithings, which reads version 1; install a newer one, or write the keys of version 1`, false},
	{"nothing to do", head, `c.yaml: there is nothing to do: give things, flows or a gateway`, false},
	{"no endpoint", "things: [{name: x, type: camera}]\n", `c.yaml: mqtt.endpoint is missing; name the broker (mqtts://HOST:8883), or set broker.listen to run the embedded one`, false},
	{"wrong scheme", "mqtt: {endpoint: http://h}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: endpoint: scheme "http" is none of mqtt, mqtts, ws, wss; write mqtts://HOST:8883 or mqtt://HOST:1883`, false},
	{"password in the URL", "mqtt: {endpoint: \"mqtt://u:hush@h\"}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: endpoint: user and password do not belong into the URL; use username and password_file`, false},
	{"broken URL", "mqtt: {endpoint: \"mqtt://u:hush@h:x\"}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: endpoint: this is not a URL; write mqtts://HOST:8883 or mqtt://HOST:1883`, false},
	{"unclear port", "mqtt: {endpoint: \"mqtt://::1:1883\"}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: endpoint: an IPv6 address with a port needs brackets; write mqtts://[::1]:8883`, false},
	{"bad port", "mqtt: {endpoint: mqtt://h:99999}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: endpoint: port "99999" is not from 1 to 65535`, false},
	{"path after the host", "mqtt: {endpoint: mqtt://h/topic}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: endpoint: "mqtt://h/topic" has something after the host; write mqtts://HOST:8883 or mqtt://HOST:1883`, false},
	{"certificate without key", "mqtt: {endpoint: mqtts://h, cert: a.pem}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:35: cert needs key, the file with its private key`, false},
	{"key without certificate", "mqtt: {endpoint: mqtts://h, key: a.pem}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:34: key needs cert, the file with its certificate`, false},
	{"own certificate without key", "mqtt: {endpoint: mqtts://h, cert: a.pem, key: a.key}\nthings: [{name: x, type: camera, mqtt: {cert: b.pem}}]\n",
		`c.yaml:2:34: thing "x": cert and key belong together; give both here`, false},
	{"certificate of the web server without key", head + "http: {tls: {cert: a.pem}}\nthings: [{name: x, type: camera}]\n", `c.yaml:2:8: http.tls: cert and key belong together; give both, or self_made: true`, false},
	{"two certificates of the web server", head + "http: {tls: {cert: a.pem, key: a.key, self_made: true}}\nthings: [{name: x, type: camera}]\n", `c.yaml:2:50: http.tls: there is a certificate in cert, so that none is made; remove one of the two`, false},
	{"password twice", "mqtt: {endpoint: mqtts://h, username: u, password: hush, password_file: f}\nthings: [{name: x, type: camera}]\n",
		`c.yaml:1:73: give password or password_file, not both`, false},
	{"password without user", "mqtt: {endpoint: mqtts://h, password: hush}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:39: a password needs username too (MQTT 3.1.1)`, false},
	{"reconnect upside down", "mqtt: {endpoint: mqtts://h, reconnect: {min: 30s, max: 10s, stable: 60s}}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:46: reconnect: min (30s) is longer than max (10s)`, false},
	{"stable too short", "mqtt: {endpoint: mqtts://h, reconnect: {min: 20s}}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:29: reconnect: stable (20s) must be longer than min (20s)`, false},
	{"keepalive in parts", "mqtt: {endpoint: mqtts://h, keepalive: 7500ms}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:40: keepalive: 7.5s is not in whole seconds`, false},
	{"will without topic", "mqtt: {endpoint: mqtts://h, will: {payload: bye}}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:29: will has no topic`, false},
	{"a second claim on the will", "mqtt:\n  endpoint: mqtts://h\n  will: {topic: gone}\n  status: true\nthings: [{name: x, type: camera}]\n",
		`c.yaml:4:11: status is true and will is given (line 3), and a connection has one will: leave one of them out`, false},
	{"birth beside status", "mqtt: {endpoint: mqtts://h, birth: {topic: here}, status: true}\nthings: [{name: x, type: camera}]\n",
		`c.yaml:1:59: status is true and birth is given (line 1), and a connection has one will: leave one of them out`, false},
	{"close without topic", "mqtt: {endpoint: mqtts://h, close: {retain: true}}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:29: close has no topic`, false},
	{"status of no topic", "mqtt: {endpoint: mqtts://h, client_id: a+b, status: true}\nthings: [{name: x, type: camera}]\n",
		`c.yaml:1:53: status: the topic {client_id}/status cannot be made of client_id "a+b"; leave + and # out of it`, false},
	{"will with wildcard", "mqtt: {endpoint: mqtts://h, will: {topic: a/#}}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:43: will: topic "a/#" has a wildcard (+ or #)`, false},
	{"one client id twice", "mqtt: {endpoint: mqtts://h, client_id: x}\nthings: [{name: x, type: camera, mqtt: {}}, {name: y, type: screen}]\n",
		`c.yaml:2:34: client_id "x" is also that of the shared connection; a broker keeps one connection for each`, false},
	{"listen without port", head + "http: {listen: 127.0.0.1}\nthings: [{name: x, type: camera}]\n", `c.yaml:2:16: http.listen: "127.0.0.1" is not an address; write HOST:PORT, for example 127.0.0.1:8080`, false},
	{"listen with a name for a port", head + "http: {listen: \"127.0.0.1:http\"}\nthings: [{name: x, type: camera}]\n", `c.yaml:2:16: http.listen: "127.0.0.1:http" has no port from 0 to 65535`, false},
	{"one port twice", "broker: {listen: 127.0.0.1:8080}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: broker.listen and http.listen are both 127.0.0.1:8080; give each its own port`, false},
	{"base URL without scheme", head + "http: {base_url: pi.local}\nthings: [{name: x, type: camera}]\n", `c.yaml:2:18: http.base_url: "pi.local" is not a base URL; write http://HOST:8080 or https://HOST/PATH`, false},

	{"no name", head + "things: [{type: camera}]\n", `c.yaml:2:10: a thing needs a name`, true},
	{"no type", head + "things: [{name: x}]\n", `c.yaml:2:10: thing "x" has no type; give one of {kinds}`, true},
	{"wrong type", head + "things: [{name: x, type: cam}]\n", `c.yaml:2:26: type: "cam" is not one of {kinds}`, true},
	{"nearly a type", head + "things: [{name: x, type: Camera, pin: 1}]\n", `c.yaml:2:26: type: "Camera" is not one of {kinds}; did you mean "camera"?`, true},
	{"wildcard in a name", head + "things: [{name: a+b, type: camera}]\n", `c.yaml:2:17: thing name "a+b" has an MQTT wildcard (+ or #); use letters, digits, _ . : -`, true},
	{"hash in a name", head + "things: [{name: 'a#', type: camera}]\n", `c.yaml:2:17: thing name "a#" has an MQTT wildcard (+ or #); use letters, digits, _ . : -`, true},
	{"dollar in a name", head + "things: [{name: $SYS, type: camera}]\n", `c.yaml:2:17: thing name "$SYS" begins with $, which brokers keep for themselves; use letters, digits, _ . : -`, true},
	{"slash in a name", head + "things: [{name: hall/ms, type: camera}]\n",
		`c.yaml:2:17: thing name "hall/ms" has a slash; put levels into topics instead, for example "hall/{thing}/motion"`, true},
	{"folder as a name", head + "things: [{name: .., type: camera}]\n", `c.yaml:2:17: thing name "..": use letters, digits, _ . : - and begin with a letter, a digit or _`, true},
	{"long name", head + "things: [{name: " + strings.Repeat("x", 129) + ", type: camera}]\n", `c.yaml:2:17: thing name "` + strings.Repeat("x", 60) + `…" is longer than 128 characters`, true},
	{"one name twice", head + "things: [{name: x, type: camera}, {name: x, type: screen}]\n", `c.yaml:2:42: there are two things named "x"; names must differ`, false},
	{"no pin", head + "things: [{name: x, type: motion}]\n", `c.yaml:2:10: thing "x" has no pin; write the line's name, for example pin: GPIO17`, true},
	{"number as a pin", head + "things: [{name: x, type: motion, pin: 17}]\n", `c.yaml:2:39: pin: "17" is a number; write the line's name, GPIO17 for BCM line 17`, false},
	{"one pin twice", head + "things: [{name: x, type: motion, pin: GPIO1}, {name: y, type: motion, pin: GPIO1}]\n", `c.yaml:2:76: pin GPIO1 is already that of thing "x"`, false},
	{"one device twice", head + "things: [{name: x, type: camera}, {name: y, type: camera}]\n", `c.yaml:2:35: device /dev/video0 is already that of thing "x"`, false},
	{"one sensor twice", head + "things: [{name: x, type: environment}, {name: y, type: environment, address: 0x76}]\n", `c.yaml:2:40: bus 1 is already that of thing "x"`, false},
	{"interlock with nothing", head + "things: [{name: up, type: output, pin: GPIO5, interlock: [dwn]}, {name: down, type: output, pin: GPIO6}]\n",
		`c.yaml:2:59: interlock: there is no other thing "dwn" of type output; did you mean "down"?`, false},
	{"interlock with itself", head + "things: [{name: up, type: output, pin: GPIO5, interlock: [up]}]\n",
		`c.yaml:2:59: interlock: there is no other thing "up" of type output`, false},
	{"interlock with another type", head + "things: [{name: up, type: output, pin: GPIO5, interlock: [x]}, {name: x, type: camera}]\n",
		`c.yaml:2:59: interlock: there is no other thing "x" of type output`, false},
	{"level at the start", head + "things: [{name: x, type: output, pin: GPIO5, at_start: high}]\n",
		`c.yaml:2:56: at_start: "high" is not one of off, on, keep`, true},
	{"time on without unit", head + "things: [{name: x, type: output, pin: GPIO5, max_on: 30}]\n", `c.yaml:2:54: max_on: "30" has no unit; write 30s or 30ms`, true},
	{"time on without end", head + "things: [{name: x, type: output, pin: GPIO5, max_on: 169h}]\n", `c.yaml:2:54: max_on: "169h" is out of range; from 0s to 168h`, false},
	{"one line for two", head + "things: [{name: x, type: output, pin: GPIO5}, {name: y, type: input, pin: GPIO5}]\n", `c.yaml:2:75: pin GPIO5 is already that of thing "x"`, false},
	{"extra key of an input", head + "things: [{name: x, type: input, pin: GPIO5, extra: {state: x}}]\n",
		`c.yaml:2:45: extra key "state": the payloads have it already, or it is empty; choose another`, false},
	{"relative folder", head + "things: [{name: x, type: screen, fetch: {allow_files: [pics]}}]\n", `c.yaml:2:56: allow_files: "pics" is not a full path; begin with /`, false},
	{"not a network", head + "things: [{name: x, type: screen, fetch: {deny_nets: [10.0.0.1]}}]\n",
		`c.yaml:2:54: deny_nets: "10.0.0.1" is not a network; write 192.168.0.0/16 or fd00::/8, one address with /32 or /128`, false},

	{"misspelt topic", head + "things: [{name: x, type: camera, topics: {captur: a}}]\n", `c.yaml:2:51: thing "x": type camera has no topic "captur"; did you mean "capture"?`, true},
	{"wildcard in a topic", head + "things: [{name: x, type: camera, topics: {capture: a/#}}]\n", `c.yaml:2:52: capture: topic "a/#" has a wildcard (+ or #)`, true},
	{"empty topic", head + "things: [{name: x, type: camera, topics: {capture: ''}}]\n", `c.yaml:2:52: capture: a topic must not be empty`, true},
	{"unknown placeholder", head + "things: [{name: x, type: camera, topics: {capture: \"${device}/c\"}}]\n", `c.yaml:2:52: capture: topic "${device}/c": only {thing} is replaced, and {hostname}, {serial}, {machine} and {env.NAME}`, false},
	{"one topic twice", head + "things: [{name: x, type: camera}, {name: y, type: camera, device: mock, topics: {capture: x/capture}}]\n",
		`c.yaml:2:91: topic "x/capture" of thing "y" is also the topic capture of thing "x"; topics must differ`, false},

	{"pin by its BCM number", head + "things: [{name: x, type: motion, pin: BCM17}]\n", `c.yaml:2:39: pin: the kernel calls BCM17 GPIO17; write that`, false},
	{"relative camera", head + "things: [{name: x, type: camera, device: video0}]\n", `c.yaml:2:42: device: "video0" is not a full path; write /dev/video0`, false},
	{"relative screen", head + "things: [{name: x, type: screen, device: dev/fb0}]\n", `c.yaml:2:42: device: "dev/fb0" is not a full path; write /dev/fb0`, false},
	{"bus by half its device", head + "things: [{name: x, type: environment, bus: i2c-1}]\n", `c.yaml:2:44: bus: write "1" or /dev/i2c-1`, false},
	{"endpoint of the README", "mqtt: {endpoint: xxxx-ats.iot.eu-central-1.amazonaws.com, cert: c, key: k}\nthings: [{name: x, type: camera}]\n",
		`c.yaml:1:18: endpoint: "xxxx-ats.iot.eu-central-1.amazonaws.com" stands for the name of your broker; write that`, false},
	{"HOST", "mqtt: {endpoint: \"mqtts://HOST:8883\"}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: endpoint: "HOST" stands for the name of your broker; write that`, false},
	{"your broker", "mqtt: {endpoint: mqtts://your-broker.local}\nthings: [{name: x, type: camera}]\n", `c.yaml:1:18: endpoint: "your-broker.local" stands for the name of your broker; write that`, false},
	{"AWS without certificate", "mqtt: {endpoint: a1-ats.iot.eu-west-1.amazonaws.com}\nthings: [{name: x, type: camera}]\n",
		`c.yaml:1:18: endpoint: AWS IoT Core asks for a certificate; give cert and key, or username for an authoriser of your own`, false},
	{"eight slashes at AWS", aws + "things: [{name: x, type: motion, pin: mock, topics: {motion: a/b/c/d/e/f/g/h/i}}]\n",
		`c.yaml:2:62: motion: topic a/b/c/d/e/f/g/h/i: 8 slashes, but AWS IoT Core allows 7 (https://docs.aws.amazon.com/general/latest/gr/iot-core.html)`, false},
	{"will of eight slashes at AWS", "mqtt: {endpoint: a1-ats.iot.eu-west-1.amazonaws.com, cert: c, key: k, will: {topic: a/b/c/d/e/f/g/h/i}}\nthings: [{name: x, type: camera}]\n",
		`c.yaml:1:85: will: topic a/b/c/d/e/f/g/h/i: 8 slashes, but AWS IoT Core allows 7 (https://docs.aws.amazon.com/general/latest/gr/iot-core.html)`, false},

	{"flow without builtin", head + "flows: [{name: a, things: {}}]\n", `c.yaml:2:9: flow has neither builtin nor file; the built-in flow is SecurityFlow`, true},
	{"flow of a file with a builtin", head + "flows: [{builtin: SecurityFlow, file: a.yaml}]\n", `c.yaml:2:39: flow has both builtin and file; leave one of them out`, false},
	{"when of a file", head + "flows: [{file: a.yaml, when: event}]\n", `c.yaml:2:30: when is for the built-in flow; a file has its own triggers`, false},
	{"wildcard in a group", head + "flows: [{file: a.yaml, shared: a/b}]\n", `c.yaml:2:32: shared: "a/b" has a slash or a wildcard; write a name without / + #`, false},
	{"shared and local", head + "flows: [{file: a.yaml, shared: a, carrier: local}]\n", `c.yaml:2:44: carrier local: the events of a shared flow come from the broker; write broker, or leave it out`, false},
	{"time key that is taken", head + "things: [{name: a, type: motion, pin: mock, time_key: isMotionDetected}]\n", `c.yaml:2:55: time_key: the payload has the key "isMotionDetected" already; choose another`, false},
	{"unknown builtin", head + "flows: [{builtin: SecurtyFlow, things: {}}]\n", `c.yaml:2:19: builtin: "SecurtyFlow" is not one of SecurityFlow; did you mean "SecurityFlow"?`, true},
	{"role missing", head + "flows: [{builtin: SecurityFlow, things: {motionSensor: a, camera: b}}]\n", `c.yaml:2:33: SecurityFlow needs a thing for its role screen`, false},
	{"role misspelt", head + "flows: [{builtin: SecurityFlow, things: {motionSensor: a, camera: b, screen: c, scren: d}}]\n",
		`c.yaml:2:88: SecurityFlow has no role "scren"; did you mean "screen"?`, false},
	{"wrong thing for a role", head + "things: [{name: c, type: camera}]\nflows: [{builtin: SecurityFlow, things: {motionSensor: c, camera: c, screen: s}}]\n",
		`c.yaml:3:56: role motionSensor needs a thing of type motion, and "c" is of type camera`, false},
	{"wildcard for a role", head + "flows: [{builtin: SecurityFlow, things: {motionSensor: a, camera: '+', screen: c}}]\n",
		`c.yaml:2:67: role camera: thing name "+" has an MQTT wildcard (+ or #); use letters, digits, _ . : -`, false},
	{"local flow with a thing elsewhere", head + "flows: [{builtin: SecurityFlow, carrier: local, things: {motionSensor: mock, camera: mock, screen: mock}}]\n",
		`c.yaml:2:72: role motionSensor: there is no thing "mock" here, and carrier local needs one`, false},
}

func TestMessages(t *testing.T) {
	with := func(key string) string {
		var names []string
		for _, k := range things.Kinds() {
			if slices.Contains(conf.Keys(conf.Fields(k.New())), key) {
				names = append(names, k.Name)
			}
		}
		last := len(names) - 1
		return "types " + strings.Join(names[:last], ", ") + " and " + names[last]
	}
	names := strings.NewReplacer("{kinds}", strings.Join(things.KindNames(), ", "), "{with pin}", with("pin"), "{with device}", with("device"))
	for _, row := range messages {
		t.Run(row.name, func(t *testing.T) {
			c, _, err := Parse("c.yaml", []byte(row.text), nil)
			if err == nil {
				t.Fatalf("accepted as %v", c)
			}
			first, _, _ := strings.Cut(err.Error(), "\n")
			want := names.Replace(row.want)
			if first != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
			if row.name != "local flow with a thing elsewhere" && err.Error() != want {
				t.Errorf("more than one line:\n%v", err)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"passwords in the clear", "broker: {listen: \":1883\", users: [{name: hall, password_hash: $7$101$lAjhlQno9f2iiIGb$DS5G3MqEhKeAEAz/wM7SpSGiJKptQCO6W+g7hosTyZaHVVts131CTQF6HLkyt9LlkPtLMuotLbOhOwRufSYOxw==}]}\nthings: [{name: x, type: camera}]\n",
			`c.yaml:1:18: broker.listen: connections to :1883 are not encrypted, so every host on the way can read passwords; give broker.tls a cert and key`},
		{"certificate for nothing", "mqtt: {endpoint: mqtt://h, cert: a, key: b}\nthings: [{name: x, type: camera}]\n",
			`c.yaml:1:18: endpoint: mqtt:// is not encrypted, so cert and key are not used; write mqtts://`},
		{"authority for nothing", "mqtt: {endpoint: mqtt://h, ca: a}\nthings: [{name: x, type: camera}]\n", // Koenkk/zigbee2mqtt#3068
			`c.yaml:1:18: endpoint: mqtt:// is not encrypted, so ca is not used; write mqtts://`},
		{"authority and certificate for nothing", "mqtt: {endpoint: ws://h, ca: a, cert: a, key: b}\nthings: [{name: x, type: camera}]\n",
			`c.yaml:1:18: endpoint: ws:// is not encrypted, so ca, cert and key are not used; write wss://`},
		{"a thing's authority for nothing", "mqtt: {endpoint: mqtts://h}\nthings: [{name: x, type: camera, mqtt: {endpoint: mqtt://g, ca: a}}]\n",
			`c.yaml:2:51: endpoint: mqtt:// is not encrypted, so ca is not used; write mqtts://`},
		{"port of the other kind", "mqtt: {endpoint: \"h:1883\"}\nthings: [{name: x, type: camera}]\n",
			`c.yaml:1:18: endpoint: mqtts:// on port 1883, which is usual for mqtt://; if the broker does not answer, write mqtt://h:1883`},
		{"TLS port without encryption", "mqtt: {endpoint: mqtt://h:8883}\nthings: [{name: x, type: camera}]\n",
			`c.yaml:1:18: endpoint: mqtt:// on port 8883, which is usual for mqtts://; if the broker does not answer, write mqtts://h:8883`},
		{"password in the clear", "mqtt: {endpoint: mqtt://h, username: u, password: hush}\nthings: [{name: x, type: camera}]\n",
			`c.yaml:1:18: endpoint: mqtt:// is not encrypted, so every host on the way can read the password; write mqtts:// if the broker can`},
		{"pin in another spelling", head + "things: [{name: x, type: motion, pin: gpio17}]\n", `c.yaml:2:39: pin: on a Raspberry Pi the line "gpio17" is called GPIO17`},
		{"role played elsewhere", head + "things: [{name: TG_MS, type: motion, pin: GPIO1}, {name: TG_Camera, type: camera}]\n" +
			"flows: [{builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}]\n",
			`c.yaml:3:90: role screen: thing "TG_Screen" is not in this file, so another process has to serve it`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, warnings := parse(t, row.text)
			if len(warnings) != 1 || warnings[0].String() != row.want {
				t.Errorf("got %v\nwant %s", warnings, row.want)
			}
		})
	}
}

// An authority that a thing inherits belongs to the shared connection.
func TestInheritedAuthorityIsNoWarning(t *testing.T) {
	_, warnings := parse(t, "mqtt: {endpoint: mqtts://h, ca: a}\nthings: [{name: x, type: camera, mqtt: {endpoint: mqtt://127.0.0.1}}]\n")
	if len(warnings) > 0 {
		t.Error(warnings)
	}
}

func resolvedSchema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	b, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func document(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchema(t *testing.T) {
	r := resolvedSchema(t)
	for name, text := range map[string][]byte{"example": Example(), "full example": fullExample(), "sample": []byte(sample), "mock": []byte(Mock().String())} {
		if err := r.Validate(document(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, row := range messages {
		if !row.schema {
			continue
		}
		if r.Validate(document(t, []byte(row.text))) == nil {
			t.Errorf("%s: accepted:\n%s", row.name, row.text)
		}
	}
	first, _ := Schema()
	for range 5 {
		if again, _ := Schema(); string(again) != string(first) {
			t.Fatal("two calls differ")
		}
	}
}
