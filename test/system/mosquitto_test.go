//go:build system

package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// The options of mosquitto_pub(1) and mosquitto_sub(1), of mosquitto-clients 2.0.11. Each
// is given to mosquitto's program and to ours, and the broker's log and the output are
// compared; or ours answers with exit code 2 and what to use instead.

// option is a row of the tables. "@" stands for the arguments that name the broker and the
// client, and "%s" for a test file's folder.
type option struct {
	names   string // as the manual has them
	args    string // for both programs
	stdin   string
	broker  string // auth, tls or open (TLS); "": one that accepts every client
	env     string
	answers string // ours does, with this text and exit code 2
}

var bothOptions = []option{
	{names: "-A", args: "@ -A 127.0.0.1", answers: "routes choose the address"},
	{names: "-c --disable-clean-session", args: "@ --disable-clean-session"},
	{names: "--cafile", broker: "tls", args: "@ --cafile %s/ca.pem --cert %s/me.pem --key %s/me.key"},
	{names: "--capath", broker: "tls", args: "@ --capath %s/authorities --cert %s/me.pem --key %s/me.key"},
	{names: "--cert --key", broker: "tls", args: "@ --cafile %s/ca.pem --cert %s/me.pem --key %s/me.key"},
	{names: "--keyform", broker: "tls", args: "@ --cafile %s/ca.pem --cert %s/me.pem --key %s/me.key --keyform pem"},
	{names: "--tls-alpn", broker: "tls", args: "@ --cafile %s/ca.pem --cert %s/me.pem --key %s/me.key --tls-alpn mqtt"},
	{names: "--tls-version", broker: "tls", args: "@ --cafile %s/ca.pem --cert %s/me.pem --key %s/me.key --tls-version tlsv1.2"},
	{names: "--tls-version", args: "@ --tls-version tlsv1.1", answers: "TLS 1.2 at least"},
	{names: "--tls-use-os-certs", broker: "open", env: "SSL_CERT_FILE=%s/ca.pem", args: "@ --tls-use-os-certs"},
	{names: "--ciphers", args: "@ --ciphers HIGH", answers: "leave it out"},
	{names: "--insecure", broker: "tls", args: "@ --insecure", answers: "--server-name NAME"},
	{names: "--tls-engine", args: "@ --tls-engine pkcs11", answers: "PEM file with --key"},
	{names: "--tls-engine-kpass-sha1", args: "@ --tls-engine-kpass-sha1 00", answers: "PEM file without a pass phrase"},
	{names: "--psk", args: "@ --psk 00", answers: "use certificates"},
	{names: "--psk-identity", args: "@ --psk-identity me", answers: "use certificates"},
	{names: "--proxy", args: "@ --proxy socks5h://127.0.0.1", answers: "ssh -L"},
	{names: "--unix", args: "@ --unix /tmp/mosquitto.sock", answers: "listen on 127.0.0.1"},
	{names: "-D --property", args: "@ -D connect user-property a b", answers: "MQTT 3.1.1"},
	{names: "-D --property", args: "@ --property connect user-property a b", answers: "MQTT 3.1.1"},
	{names: "-S", args: "@ -S", answers: "dig _mqtt._tcp.DOMAIN SRV"},
	{names: "-x", args: "@ -x 30", answers: "--disable-clean-session keeps one"},
	{names: "-h --host", args: "-h 127.0.0.1 -p PORT -i tester -q 1 --keepalive 45"},
	{names: "-h --host", args: "--host localhost -p PORT -i tester -q 1 --keepalive 45"},
	{names: "-p --port", args: "-h 127.0.0.1 --port PORT -i tester -q 1 --keepalive 45"},
	{names: "-p --port", args: "-p PORT -i tester -q 1 --keepalive 45"},
	{names: "-i --id", args: "-p PORT --id tester -q 1 --keepalive 45"},
	{names: "-k --keepalive", args: "-p PORT -i tester -q 1 --keepalive 77"},
	{names: "-u --username -P --pw", broker: "auth", args: "@ -u me -P secret"},
	{names: "-u --username -P --pw", broker: "auth", args: "@ --username me --pw secret"},
	{names: "--nodelay", args: "@ --nodelay"},
	{names: "-V --protocol-version", args: "@ -V mqttv311"},
	{names: "-V --protocol-version", args: "@ --protocol-version 311"},
	{names: "-V --protocol-version", args: "@ -V mqttv5", answers: "leave -V out"},
	{names: "-V --protocol-version", args: "@ -V 31", answers: "leave -V out"},
	{names: "--will-topic", args: "@ --will-topic gone"},
	{names: "--will-payload", args: "@ --will-topic gone --will-payload away"},
	{names: "--will-qos", args: "@ --will-topic gone --will-payload away --will-qos 1"},
	{names: "--will-qos", args: "@ --will-topic gone --will-qos 2", answers: "--will-qos 2: give 0 or 1"},
	{names: "--will-retain", args: "@ --will-topic gone --will-payload away --will-retain"},
}

var pubOptions = append([]option{
	{names: "-c", args: "@ -t a -m x -c"},
	{names: "-k", args: "-p PORT -i tester -q 1 -k 77 -t a -m x"},
	{names: "-L --url", args: "-L mqtt://127.0.0.1:PORT/from/url -i tester -q 1 --keepalive 45 -m hello"},
	{names: "-L --url", broker: "auth", args: "--url mqtt://me:secret@127.0.0.1:PORT/from/url -i tester -q 1 --keepalive 45 -m hello"},
	{names: "-m --message", args: "@ -t a -m hello"},
	{names: "-m --message", args: "@ -t a --message -n"},
	{names: "-f --file", args: "@ -t a -f %s/data"},
	{names: "-f --file", args: "@ -t a --file %s/data"},
	{names: "-l --stdin-line", args: "@ -t a -l", stdin: "one\ntwo\nthree\n"},
	{names: "-l --stdin-line", args: "@ -t a --stdin-line", stdin: "one\ntwo"},
	{names: "-s --stdin-file", args: "@ -t a -s", stdin: "one\ntwo\n"},
	{names: "-s --stdin-file", args: "@ -t a --stdin-file", stdin: "one"},
	{names: "-n --null-message", args: "@ -t a -n"},
	{names: "-n --null-message", args: "@ -t a --null-message -r"},
	{names: "-M", args: "@ -t a -m x -M 1"},
	{names: "-q --qos", args: "@ -t a -m x -q 0"},
	{names: "-q --qos", args: "@ -t a -m x --qos 1"},
	{names: "-q --qos", args: "@ -t a -m x -q 2", answers: "-q 1 delivers at least once"},
	{names: "-r --retain", args: "@ -t a -m x -r"},
	{names: "-r --retain", args: "@ -t a -m x --retain"},
	{names: "--repeat", args: "@ -t a -m x --repeat 3"},
	{names: "--repeat-delay", args: "@ -t a -m x --repeat 2 --repeat-delay 0.1"},
	{names: "-t --topic", args: "@ --topic a/b -m x"},
}, withArgs(bothOptions, "-t a/b -m hello")...)

var subOptions = append([]option{
	{names: "-c", args: "@ -c -t a/#", answers: "mosquitto_sub's -c is --disable-clean-session"},
	{names: "-k", args: "@ -k 77 -t a/#", answers: "write --keepalive 77"},
	{names: "-C", args: "@ -t a/# -C 2"},
	{names: "-E", args: "@ -t b/# -E"},
	{names: "-F", args: "@ -t a/# -C 2 -F %%t|%%p|%%l|%%q|%%r|%%x|%%X|%%C%%A%%D%%E%%F%%P%%R%%S|%%-8p|@Y|\\t\\n"},
	{names: "-L --url", args: "-L mqtt://127.0.0.1:PORT/a/1 -i tester -q 1 --keepalive 45 -C 1"},
	{names: "-L --url", broker: "auth", args: "--url mqtt://me:secret@127.0.0.1:PORT/a/# -i tester -q 1 --keepalive 45 -W 1"},
	{names: "-N", args: "@ -t a/1 -C 1 -N"},
	{names: "-q --qos", args: "@ -t a/1 -C 1 -q 0 -F %%q"},
	{names: "-q --qos", args: "@ -t a/1 -C 1 --qos 1 -F %%q"},
	{names: "-R", args: "@ -t # -R -W 1"},
	{names: "--retained-only", args: "@ -t a/# -C 2 --retained-only"},
	{names: "--retain-as-published", args: "@ -t a/# --retain-as-published", answers: "--retained-only and -R"},
	{names: "-t --topic", args: "@ -t a/1 --topic b/2 -C 2 -v"},
	{names: "-T --filter-out", args: "@ -t # -T a/1 -T b/# -C 1 -v"},
	{names: "-T --filter-out", args: "@ -t # --filter-out a/# -C 1 -v"},
	{names: "-U --unsubscribe", args: "@ -t a/# -U a/1", answers: "name only the topics that you want"},
	{names: "-U --unsubscribe", args: "@ --unsubscribe a/1", answers: "name only the topics that you want"},
	{names: "-v --verbose", args: "@ -t a/# -v -C 2"},
	{names: "-W", args: "@ -t nothing -W 1"},
}, withArgs(bothOptions, "-t a/# -C 2")...)

// elsewhere are options that tests of their own are about: these, and those of watch in
// cmd/pithings. Of --random-filter mosquitto_sub 2.0.11 prints a tenth.
var elsewhere = []string{"-d --debug", "-I --id-prefix", "--quiet", "--help", "--pretty", "--random-filter", "--remove-retained"}

// withArgs adds to the arguments of options.
func withArgs(options []option, more string) []option {
	all := slices.Clone(options)
	for i := range all {
		all[i].args += " " + more
	}
	return all
}

// place is what the rows of a table work with.
type place struct {
	folder  string
	ports   map[string]int
	brokers map[string]*process
	read    map[string]int // bytes of their logs
}

func newPlace(t *testing.T) *place {
	a := newAuthority(t)
	a.client("me")
	tls := a.mutual()
	p := &place{folder: filepath.Dir(a.File("x")), ports: map[string]int{}, brokers: map[string]*process{}, read: map[string]int{}}
	run := func(name string, args ...string) {
		if out, err := exec.CommandContext(t.Context(), binary.Need(t, name), args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	if err := os.WriteFile(a.File("data"), []byte("some\ndata\x00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	authorities := a.File("authorities")
	ca, err := os.ReadFile(a.File("ca.pem"))
	if err == nil {
		err = errors.Join(os.Mkdir(authorities, 0o755), os.WriteFile(filepath.Join(authorities, "ca.crt"), ca, 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	run("openssl", "rehash", authorities) // as the manual asks for
	run("mosquitto_passwd", "-b", "-c", a.File("passwords"), "me", "secret")
	for name, config := range map[string][]string{"": {"allow_anonymous true"},
		"auth": {"allow_anonymous false", "password_file " + a.File("passwords")}, "tls": tls,
		"open": {"allow_anonymous true", "certfile " + a.File("server.pem"), "keyfile " + a.File("server.key")}} {
		p.ports[name], p.brokers[name] = mosquittoProcess(t, append(config, "log_dest stderr", "log_type all")...)
	}
	return p
}

// words are the arguments of a row.
func (p *place) words(o option, text string) []string {
	port := fmt.Sprint(p.ports[o.broker])
	words := strings.Fields(strings.ReplaceAll(text, "%%", "\x00"))
	var all []string
	for _, w := range words {
		if w == "@" {
			all = append(all, "-h", "127.0.0.1", "-p", port, "-i", "tester", "-q", "1", "--keepalive", "45")
			continue
		}
		w = strings.NewReplacer("PORT", port, "%s", p.folder, "\x00", "%").Replace(w)
		all = append(all, w)
	}
	return all
}

var (
	connects = regexp.MustCompile(`^\d+: New client connected from \S+ as tester `)
	ends     = regexp.MustCompile(`Client tester (disconnected|closed its connection)\.\n`)
	changing = regexp.MustCompile(`^\d+: |from \S+:\d+|\bm\d+\b`)
	clients  = regexp.MustCompile(`New client connected|ill message|Received (PUBLISH|SUBSCRIBE)|^\d+: \t`)
)

// heard returns what the broker logs about the next connection of the client
// tester, without what changes from one to the next.
func (p *place) heard(t *testing.T, name string) []string {
	t.Helper()
	for deadline := time.Now().Add(binary.Patience); ; {
		log := p.brokers[name].logged()[p.read[name]:]
		if end := ends.FindStringIndex(log); end != nil {
			p.read[name] += end[1]
			lines := strings.Split(log[:end[0]], "\n")
			lines = lines[slices.IndexFunc(lines, connects.MatchString):]
			lines = slices.DeleteFunc(lines, func(l string) bool { return !clients.MatchString(l) })
			for i, l := range lines {
				lines[i] = changing.ReplaceAllString(l, "")
			}
			slices.Sort(lines) // one SUBSCRIBE has its filters in any order
			return lines
		}
		if time.Now().After(deadline) {
			t.Fatalf("the broker logs nothing about the client tester:\n%s", log)
		}
		time.Sleep(10 * time.Millisecond) // a foreign process's output: nothing to wait on
	}
}

// once runs a program to its end.
func once(t *testing.T, path, stdin string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), binary.Patience)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...)
	c.Env = append(environment(t), env...)
	c.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// TestOptionsOfMosquittoPub and TestOptionsOfMosquittoSub: each option of the manual has
// the same effect, or is answered. `pub -h HOST` printed the help, sent nothing and exited
// with 0 (mosquitto_pub(1); hivemq/mqtt-cli#147).
func TestOptionsOfMosquittoPub(t *testing.T) {
	testOptions(t, "mosquitto_pub", "pub", pubOptions, newPlace(t))
}

func TestOptionsOfMosquittoSub(t *testing.T) {
	p := newPlace(t)
	for topic, payload := range map[string]string{"a/1": "one", "a/2": "zwei", "b/2": "drei"} {
		publish(t, p.ports[""], topic, payload, "-r")
	}
	testOptions(t, "mosquitto_sub", "watch", subOptions, p)
}

func testOptions(t *testing.T, theirs, ours string, table []option, p *place) {
	program := binary.Need(t, theirs)
	checkComplete(t, program, table)
	for _, o := range table {
		if ours == "watch" && o.broker != "" { // nothing is retained there
			o.args = strings.ReplaceAll(o.args, "-C 2", "-W 1")
		}
		t.Run(o.names+" "+o.args, func(t *testing.T) {
			args := p.words(o, o.args)
			if o.answers != "" {
				_, said, code := once(t, binary.Path, o.stdin, nil, append([]string{ours}, args...)...)
				if code != 2 || !strings.Contains(said, o.answers) {
					t.Errorf("exit code %d, %s", code, said)
				}
				return
			}
			var env []string
			if o.env != "" {
				env = p.words(o, o.env)
			}
			out, said, code := once(t, program, o.stdin, env, args...)
			if code != 0 && code != 27 {
				t.Fatalf("%s: exit code %d, %s", theirs, code, said)
			}
			want := p.heard(t, o.broker)
			mine, said, mycode := once(t, binary.Path, o.stdin, env, append([]string{ours}, args...)...)
			if mycode != code {
				t.Fatalf("exit code %d, want %d: %s", mycode, code, said)
			}
			if got := p.heard(t, o.broker); !slices.Equal(got, want) {
				t.Errorf("the broker sees\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if ours == "watch" && !slices.Equal(inOrder(mine), inOrder(out)) {
				t.Errorf("printed %q, want %q", mine, out)
			}
		})
	}
}

// inOrder returns the lines of a text, sorted.
func inOrder(text string) []string { return slices.Sorted(strings.SplitSeq(text, "\n")) }

// checkComplete looks for options that the program's help names and the table does not.
func checkComplete(t *testing.T, program string, table []option) {
	t.Helper()
	known := strings.Fields(strings.Join(elsewhere, " "))
	for _, o := range table {
		known = append(known, strings.Fields(o.names)...)
	}
	help, _, _ := once(t, program, "", nil, "--help")
	for _, m := range regexp.MustCompile(`(?m)(?:^ |[\[{| ])(--?[A-Za-z][a-z0-9-]*)`).FindAllStringSubmatch(help, -1) {
		if !slices.Contains(known, m[1]) {
			t.Errorf("%s has an option %s, which the table lacks", filepath.Base(program), m[1])
		}
	}
}

// TestOptionsForPeople: options about what is printed while it runs.
func TestOptionsForPeople(t *testing.T) {
	port := fmt.Sprint(mosquitto(t))
	for _, c := range []string{"pub", "watch"} {
		for _, help := range []string{"--help", "-h"} {
			if out, said, code := finish(t, c, help); code != 0 || said != "" || !strings.Contains(out, "Usage:") {
				t.Errorf("%s %s: exit code %d, %s%s", c, help, code, out, said)
			}
		}
		do := []string{c, "-p", port, "-t", "a", "-m", "x"}
		if c == "watch" {
			do = []string{c, "-p", port, "-t", "a", "-E"}
		}
		for _, debug := range []string{"-d", "--debug"} {
			if _, said, code := finish(t, append(do, debug)...); code != 0 || !strings.Contains(said, "connected") {
				t.Errorf("%s %s: exit code %d, %s", c, debug, code, said)
			}
		}
		do[2] = fmt.Sprint(freePort(t))
		if c == "watch" {
			do = append(do, "-W", "1")
		}
		if out, said, code := finish(t, append(do, "--quiet")...); out != "" || said != "" || c == "watch" && code == 0 {
			t.Errorf("%s --quiet: exit code %d, %s%s", c, code, out, said)
		}
	}
	publish(t, mosquittoPort(t, port), "a", `{"x":1}`, "-r")
	for _, args := range []string{"-F %j --pretty", "-F %J --pretty", "--json --pretty"} {
		out, said, code := finish(t, append([]string{"watch", "-p", port, "-t", "a", "-C", "1"}, strings.Fields(args)...)...)
		if code != 0 || !strings.HasPrefix(out, "{\n") || !strings.Contains(out, `"topic": "a"`) {
			t.Errorf("%s: %d %s%s", args, code, out, said)
		}
	}
}

func mosquittoPort(t *testing.T, port string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(port, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestIDPrefix: a broker that lets in clients by the beginning of their ids.
func TestIDPrefix(t *testing.T) {
	port := fmt.Sprint(mosquitto(t, "allow_anonymous true", "clientid_prefixes my-"))
	if out, said, code := finish(t, "pub", "-p", port, "-I", "my-", "-t", "a", "-m", "x", "-r"); code != 0 {
		t.Errorf("pub: %d %s%s", code, out, said)
	}
	if out, said, code := finish(t, "watch", "-p", port, "--id-prefix", "my-", "-t", "a", "-C", "1", "-W", "10"); code != 0 || out != "x\n" {
		t.Errorf("watch: %d %s%s", code, out, said)
	}
}

// TestWatchLargePicture: what mosquitto_sub writes into a file, watch does.
func TestWatchLargePicture(t *testing.T) {
	port := mosquitto(t)
	picture := bytes.Repeat([]byte{0xff, 0xd8, 0, '\n'}, 1<<19) // 2 MiB
	file := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, said, code := once(t, binary.Need(t, "mosquitto_pub"), "", nil, "-p", fmt.Sprint(port), "-t", "a", "-r", "-f", file); code != 0 {
		t.Fatal(said)
	}
	if out, said, code := finish(t, "watch", "-p", fmt.Sprint(port), "-t", "a", "-N", "-C", "1", "-W", "20"); code != 0 || out != string(picture) {
		t.Errorf("exit code %d, %d bytes, %s", code, len(out), said)
	}
}

// TestExamplesOfMosquittoPub are those of its manual, with pithings pub in its place.
func TestExamplesOfMosquittoPub(t *testing.T) {
	port := mosquitto(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "data"), []byte("the data"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("-p %d", port) // instead of the usual one
	for _, row := range []struct{ command, topic, payload string }{
		{"mosquitto_pub -t sensors/temperature -m 32 -q 1 " + at, "sensors/temperature", "32"},
		{"mosquitto_pub -h 127.0.0.1 " + at + ` -t sensors/temperature -m "1266193804 32"`, "sensors/temperature", "1266193804 32"},
		{`mosquitto_pub -r -t switches/kitchen_lights/status -m "on" ` + at, "switches/kitchen_lights/status", "on"},
		{"mosquitto_pub -t my/topic -f ./data " + at, "my/topic", "the data"},
		{"mosquitto_pub -t my/topic -s < ./data " + at, "my/topic", "the data"},
		{"echo 12345 | mosquitto_pub -t sensors/cc128 -l " + at, "sensors/cc128", "12345"},
	} {
		sub := subscribe(t, port, "-i", "watcher-of-"+strings.ReplaceAll(row.topic+row.payload, " ", "-"))
		shell(t, folder, strings.Replace(row.command, "mosquitto_pub", "pithings pub", 1))
		if got := sub.message(row.topic); got != row.payload {
			t.Errorf("%s: %q", row.command, got)
		}
	}
	if got := subscribe(t, port, "--retained-only").message("switches/kitchen_lights/status"); got != "on" {
		t.Errorf("retained: %q", got)
	}
}

// TestExamplesOfMosquittoSub are those of its manual, with pithings watch in its place.
func TestExamplesOfMosquittoSub(t *testing.T) {
	port := mosquitto(t, "allow_anonymous true", "sys_interval 1")
	publish(t, port, "sensors/temperature", "32", "-r")
	publish(t, port, "sensors/machines/pi/temperature/sda", "41", "-r")
	publish(t, port, "bbc/bbc1", "one", "-r")
	publish(t, port, "bbc/radio3", "three", "-r")
	at := fmt.Sprintf("-p %d -W 20 ", port) // instead of the usual one, and for ever
	for _, row := range []struct{ command, want string }{
		{"mosquitto_sub -C 1 -t sensors/temperature -q 1", `^32\n$`},
		{"mosquitto_sub -C 1 -t sensors/machines/+/temperature/+", `^41\n$`},
		{`mosquitto_sub -C 1 -v -t \$SYS/#`, `^\$SYS/\S+ .*\n$`},
		{"mosquitto_sub -C 1 -F '@Y-@m-@dT@H:@M:@S@z : %t : %x' -t 'sensors/#'", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} : sensors/\S+ : 3\d3\d|3431\n$`},
		{"mosquitto_sub -C 1 -F '%@s.@N : %r : %q : %m : %l' -q 2 -t '#'", `^\d+\.\d{9} : 1 : 1 : \d+ : \d+\n$`},
		{`mosquitto_sub -C 1 -F '\e[92m%t \e[96m%p\e[0m' -q 2 -t 'bbc/bbc1'`, "^\x1b\\[92mbbc/bbc1 \x1b\\[96mone\x1b\\[0m\n$"},
		{"mosquitto_sub -C 1 -v -t bbc/# -T bbc/radio3", `^bbc/bbc1 one\n$`},
		{"mosquitto_sub -C 1 -t 'bbc/#' -T bbc/bbc1 --remove-retained", `^three\n$`},
		{"mosquitto_sub -t 'bbc/#' --remove-retained --retained-only", `^one\n$`},
	} {
		out := shell(t, t.TempDir(), strings.Replace(row.command, "mosquitto_sub ", "pithings watch "+at, 1))
		if !regexp.MustCompile(row.want).MatchString(out) {
			t.Errorf("%s printed\n%q, want\n%s", row.command, out, row.want)
		}
	}
	if out, _, code := finish(t, "watch", "-p", fmt.Sprint(port), "-t", "bbc/#", "-W", "1"); code != 27 || out != "" {
		t.Errorf("still retained: %q", out)
	}
}

// shell runs a line in which pithings is our program.
func shell(t *testing.T, folder, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", line)
	c.Dir = folder
	c.Env = append(environment(t), "PATH="+filepath.Dir(binary.Path)+":"+os.Getenv("PATH"))
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s", line, err, errs.String())
	}
	return string(out)
}
