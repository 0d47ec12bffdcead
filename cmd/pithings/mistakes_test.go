package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cli runs a command line in this process, with a state folder of its own and without
// our variables.
func cli(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code = execute(ctx, args, strings.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), code
}

// ownHome keeps a test away from this user's files and this machine's agent.
func ownHome(t *testing.T) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "PITHINGS_") {
			t.Setenv(name, "") // restores it
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	t.Chdir(t.TempDir())
}

// TestMistakes: what strangers type wrong. Each message says what to do, in one line;
// 2 is a wrong command line, 1 a command that could not be done.
func TestMistakes(t *testing.T) {
	ownHome(t)
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noPEM := write("not.pem", "hello")
	typo := write("typo.yaml", "mqtt: {endpoint: mqtt://127.0.0.1}\nthings:\n  - {name: a, type: motion, pni: GPIO17}\n")
	for _, row := range []struct {
		line string
		code int
		says string
	}{
		// Words and flags that are not there.
		{"rum", 2, "did you mean run"},
		{"subscribe", 2, "did you mean watch"},
		{"sub", 2, "did you mean watch?"},
		{"frobnicate", 2, "say camera, capture"},
		{"send", 2, "did you mean pub"},
		{"start", 2, "did you mean run"},
		{"status", 2, "did you mean doctor"},
		{"screenshot", 2, "did you mean capture"},
		{"executions Hall", 2, "did you mean flow executions?"},
		{"purge --yes", 2, "did you mean queue purge?"},
		{"bme680", 2, "did you mean read bme680?"},
		{"help nonsense", 2, "unknown command"},
		{"help rum", 2, "did you mean run?"},
		{"help queue lss", 2, "did you mean ls?"},
		{"help flow run", 0, ""},
		{"completion", 2, "say bash, fish, powershell, zsh"},
		{"completion zhs", 2, "did you mean zsh?"},
		{"queue lss", 2, "did you mean ls?"},
		{"queue list", 2, "did you mean ls?"},
		{"queue rm", 2, "did you mean purge?"},
		{"flow depoly x", 2, "did you mean deploy?"},
		{"flow stop", 2, "did you mean undeploy?"},
		{"config chek x.yaml", 2, "did you mean check?"},
		{"config validate x.yaml", 2, "did you mean check?"},
		{"read bme280", 2, "did you mean bme680?"},
		{"read", 2, "bme680 or motion"},
		{"run --mok", 2, "did you mean --mock?"},
		{"run -mock", 2, "write --mock"},
		{"run --conifg x.yaml", 2, "did you mean --config?"},
		{"pub --topc a -m x", 2, "did you mean --topic?"},
		{"pub -topic a -m x", 2, "write --topic"},
		{"pub -host broker -t a -m x", 2, "write --host"},
		{"pub --hostname broker -t a -m x", 2, "did you mean --host?"},
		{"pub --password secret -t a -m x", 2, "did you mean --password-file?"},
		{"watch --caflie x", 2, "did you mean --cafile?"},
		{"watch -m hello", 2, "pithings pub publishes"},
		{"pub -C 1", 2, "pithings watch listens"},
		{"pub -W 1", 2, "pithings watch listens"},
		{"publish -m hello", 2, "did you mean pub?"},

		// Values that are missing, or of another kind.
		{"pub -h", 0, ""},
		{"pub --help", 0, ""},
		{"pub -t", 2, "-t needs a value: -t TOPIC"},
		{"pub --topic", 2, "--topic needs a value: --topic TOPIC"},
		{"pub -t -m hello", 2, "-t needs a value"},
		{"pub -h -t a -m x", 2, "help is --help"},
		{"watch -c -t a", 2, "mosquitto_sub's -c is --disable-clean-session"},
		{"watch -k 30 -t a", 2, "write --keepalive 30"},
		{"ms -e mqtt://127.0.0.1 -k 60 --mock", 2, "write --keepalive 60"},
		{"pub -q 2 -t a -m x", 2, "-q 1 delivers at least once"},
		{"pub -q high -t a -m x", 2, "give a number"},
		{"pub -p 99999 -t a -m x", 2, "from 0 to 65535"},
		{"pub -h b -p mqtt -t a -m x", 2, "from 0 to 65535"},
		{"pub --keepalive 2 -h b -t a -m x", 2, "--keepalive"},
		{"pub -k soon -h b -t a -m x", 2, "give a number of seconds"},
		{"pub --drain --timeout 10 -h b", 2, "with its unit, such as"},
		{"publish -e mqtt://127.0.0.1 --mock --interval 3", 2, "with its unit, such as"},
		{"publish -e mqtt://127.0.0.1 --mock --interval 0s", 2, "such as 3s"},
		{"publish -e mqtt://127.0.0.1 --mock --interval=-1s", 2, "with its unit, such as"},
		{"watch -W forever", 2, "give a number of seconds"},
		{"watch -C many", 2, "give a number from 0"},
		{"watch -C -3", 2, "give a number from 0"},
		{"watch -F %y", 2, "%p payload"},
		{"watch -F @", 2, "something is missing"},
		{"watch -F %t --json", 2, "give one of them"},
		{"watch -R --retained-only", 2, "give one of them"},
		{"run --mock --log loud", 2, "loud"},
		{"flow executions --status DEAD", 2, "RUNNING, SUCCEEDED, FAILED or ABORTED"},
		{"show x.jpg --mock --rotate 45", 2, "90"},
		{"show x.jpg --mock --fit stretch", 2, "contain"},
		{"capture x.jpg --mock --size big", 2, "--size"},

		// The broker.
		{"ms --mock", 2, "-e is missing"},
		{"flow run", 2, "-e is missing"},
		{"ms -e a1b2-ats.iot.eu-west-1.amazonaws.com --mock", 2, "Give -c CERTIFICATE and -k KEY"},
		{"camera -e host -c cert.pem --mock", 2, "-c and -k belong together"},
		{"pub -h mqtt://broker -t a -m x", 2, "write -e mqtt://broker"},
		{"pub -h broker:http -t a -m x", 2, "with a port from 1 to 65535"},
		{"pub -h broker:1883 -p 1884 -t a -m x", 2, "with a port from 1 to 65535"},
		{"pub -h b -e mqtt://b -t a -m x", 2, "give one of them"},
		{"pub -e http://broker -t a -m x", 2, "use mqtt, mqtts, ws or wss"},
		{"pub -e mqtt://broker:1883/topic -m x", 2, "name the topic with -t TOPIC"},
		{"pub -e mqtt://broker:1883/topic -t a -m x", 2, "has a path, which only ws:// and wss:// know"},
		{"pub -h a1b2-ats.iot.eu-west-1.amazonaws.com -t a -m x", 2, "give --cert FILE and --key FILE"},
		{"watch -e mqtts://a1b2-ats.iot.eu-west-1.amazonaws.com", 2, "give --cert FILE and --key FILE"},
		{"publish -e mqtts://a1b2-ats.iot.eu-west-1.amazonaws.com --mock", 2, "give --cert FILE and --key FILE"},
		{"pub -e mqtt://user:secret@broker -t a -m x", 2, "their own settings"},
		{"pub -h mqtt://user:secret@broker -t a -m x", 2, "write -e mqtt://broker"},
		{"pub -h user:secret@broker:1883 -t a -m x", 2, ""},
		{"pub -h b -e mqtt://user:secret@b -t a -m x", 2, "give one of them"},
		{"ms -e user:secret@broker --mock", 2, "by their own settings"},
		{"pub -L mqtt://user:secret@broker -m x", 2, "the topic is missing"},
		{"pub -L mqtt://user:secret@bro:ker/t -m x", 2, "the broker in it cannot be read"},
		{"pub -L broker/topic -m x", 2, "HOST[:PORT]/TOPIC"},
		{"pub -L mqtt://broker -m x", 2, "the topic is missing"},
		{"watch -L ws://broker/mqtt", 2, "-e ws[s]://HOST/PATH"},
		{"pub -L mqtt://b/t -h b -m x", 2, "give one of them"},
		{"run --mock -p 1884", 2, "give --host HOST"},
		{"pub -h b -P secret -t a -m x", 2, "give --username NAME"},
		{"pub -h b -u me --password-file /does/not/exist -t a -m x", 2, "no such file"},
		{"pub -h b -u me --password-file " + folder + " -t a -m x", 2, "not a regular file"},
		{"watch -h b --cafile /does/not/exist", 1, "/does/not/exist"},
		{"watch -h b --cafile " + noPEM, 1, "holds no certificate (-----BEGIN CERTIFICATE-----)"},
		{"watch -h b --cert " + noPEM, 2, "--cert: cert needs key"},
		{"pub -i me -I my -h b -t a -m x", 2, "give one of them"},
		{"pub -c -h b -t a -m x", 2, "needs --client-id"},
		{"pub --will-payload gone -h b -t a -m x", 2, "give it, too"},
		{"pub --will-topic a/# -h b -t a -m x", 2, "--will-topic"},
		{"pub -V mqttv5 -h b -t a -m x", 2, "leave -V out"},
		{"pub --insecure -h b -t a -m x", 2, "--server-name NAME"},
		{"watch -U a", 2, "name only the topics that you want"},

		// Topics and messages.
		{"pub -m x", 2, "name the topic with -t TOPIC"},
		{"pub -t a", 2, "say what to publish, once"},
		{"pub -t a -m x -n", 2, "say what to publish, once"},
		{"pub -t a -m hello world", 2, "put text with spaces in quotes"},
		{"pub a hello world", 2, "text with spaces is put in quotes"},
		{"pub -t a/# -m x", 2, "for subscriptions only"},
		{"watch -t a/#/b", 2, "put a filter in quotes"},
		{"watch a.txt#", 2, "put a filter in quotes"},
		{"pub -t a -l --repeat 2", 2, "--repeat is for one message"},
		{"pub -t a -m x --repeat 0", 2, "give a number from 1"},
		{"pub -t a -m x --repeat-delay 1", 2, "--repeat TIMES"},
		{"pub --drain -t a", 2, "leave topic and message out"},
		{"pub -t a -f /does/not/exist", 1, "for a text write -m"},
		{"pub -t a -f " + folder, 1, "is a folder"},

		// Files and names.
		{"run", 2, "pithings run FILE"},
		{"run /does/not/exist.yaml", 78, "no such file"},
		{"run " + typo, 78, "did you mean"},
		{"run a.yaml --config b.yaml", 2, "give one of them"},
		{"run a.yaml b.yaml", 2, "too many"},
		{"config check", 2, "name the file"},
		{"config check " + typo, 1, "did you mean"},
		{"config check /does/not/exist.yaml", 1, "no such file"},
		{"flow deploy", 2, "pithings flow deploy FILE…"},
		{"flow deploy /does/not/exist.yaml", 1, "no such file"},
		{"flow show", 2, "pithings flow show NAME"},
		{"flow show a b", 2, "2 arguments are too many"},
		{"flow show Hall", 1, `there is no deployment "Hall"`},
		{"flow executions Hall", 1, `there is no deployment "Hall"`},
		{"queue import", 2, "pithings queue import FILE"},
		{"queue import /does/not/exist", 1, "no such file"},
		{"queue ls unknown", 1, "unknown"},
		{"capture " + folder + " --mock --size 320x240", 1, "is a folder"},
		{"show /does/not/exist.jpg --mock", 1, "no such file"},
		{"show", 2, "pithings show FILE|URL"},
		{"watch -h 127.0.0.1 -p 1 -C 0", 2, "give a number from 1"},
		{"watch -h 127.0.0.1 -p 1 -W 0", 2, "leave -W out"},
		{"doctor GPIO17", 2, "takes no arguments"},
		{"version please", 2, "takes no arguments"},
	} {
		t.Run(row.line, func(t *testing.T) {
			_, said, code := cli(t, "", strings.Fields(row.line)...)
			if code != row.code || !strings.Contains(said, row.says) {
				t.Errorf("exit code %d, want %d; it does not say %q:\n%s", code, row.code, row.says, said)
			}
			if strings.Contains(row.line, "secret@") && strings.Contains(said, "secret") || strings.Contains(said, "internal error") {
				t.Errorf("it says what it should not:\n%s", said)
			}
			if n := strings.Count(strings.TrimSpace(said), "\n"); code != 0 && (n > 1 || len(said) == 0) {
				t.Errorf("%d lines of complaint:\n%s", n+1, said)
			}
			if code == 2 != strings.Contains(said, "--help shows more") {
				t.Errorf("exit code %d, with the hint or without:\n%s", code, said)
			}
		})
	}
}

// TestHabits: how a command line is read before its flags are parsed.
func TestHabits(t *testing.T) {
	for line, want := range map[string]string{
		"publish -id me -t a":      "publish --client-id me -t a",
		"pub -h":                   "pub --help",
		"pub -t a -m x -h":         "pub -t a -m x --help",
		"pub -h broker -t a":       "pub -h broker -t a",
		"pub -t a -m -h":           "pub -t a -m -h",
		"pub -t a -m -t -r":        "pub -t a -m -t -r", // the message is -t
		"pub -t a -m -id -- -id":   "pub -t a -m -id -- -id",
		"pub -t a -m -message":     "pub -t a -m -message",
		"pub -t=-m -m x":           "pub -t=-m -m x",
		"doctor -h":                "doctor -h",
		"watch -C 1 -W -1 -F %t-p": "watch -C 1 -W -1 -F %t-p",
	} {
		got, err := readHabits(newRoot(), strings.Fields(line))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

// A flag with nothing is a variable of a script that is not set, and is not taken for one
// that was left out: --host would mean another broker, and --ca clear text.
func TestEmptyValuesAreRefused(t *testing.T) {
	for _, row := range [][]string{
		{"pub", "-h", "", "-t", "a", "-m", "x"},
		{"pub", "-h", "127.0.0.1", "--cafile=", "-t", "a", "-m", "x"},
		{"pub", "-h", "127.0.0.1", "-i", "", "-t", "a", "-m", "x"},
		{"watch", "-e", ""},
		{"ms", "-e", "mqtt://127.0.0.1:1", "-n", ""},
		{"run", "--config", ""},
		{"queue", "ls", "--state", ""},
	} {
		if _, said, code := cli(t, "", row...); code != exitUsage || !strings.Contains(said, " is empty: give one, or leave the flag out") {
			t.Errorf("%q: exit code %d: %s", row, code, said)
		}
	}
	if _, said, code := cli(t, "", "pub", "-t", "a", "-m", "", "-P", "", "-u", "me", "--state", t.TempDir()); code != exitOK {
		t.Errorf("an empty message and password: exit code %d: %s", code, said)
	}
}
