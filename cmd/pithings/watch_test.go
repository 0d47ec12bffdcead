package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/endpoint"
)

var noon = time.Date(2026, 11, 29, 12, 0, 5, 7_000_000, time.FixedZone("", 3600))

// TestFormats: what mosquitto_sub 2.0.11 prints for the same formats (but for the time
// of %j, of which it prints the zone twice, and the width of %p and %x, which the manual
// calls a minimum).
func TestFormats(t *testing.T) {
	hello := mqttlink.Message{Topic: "a/b", Payload: []byte("hello"), QoS: 1, Retain: true, PacketID: 7}
	object := mqttlink.Message{Topic: "a/j", Payload: []byte(`{"x": [1, 2.0]}`)}
	binary := mqttlink.Message{Topic: "a/bin", Payload: []byte{0xff, 0, 1}}
	for _, row := range []struct {
		format string
		m      mqttlink.Message
		want   string
	}{
		{"%t %p", hello, "a/b hello"},
		{"%%@@\\\\", hello, `%@\`},
		{`%t\0\a\e\n\r\t\v`, hello, "a/b\x00\a\x1b\n\r\t\v"},
		{`\e[92m%t \e[96m%p\e[0m`, hello, "\x1b[92ma/b \x1b[96mhello\x1b[0m"},
		{"%@s.@N : %r : %q : %m : %l", hello, "1795950005.007000000 : 1 : 1 : 7 : 5"}, // %@s as in the manual
		{"@Y-@m-@dT@H:@M:@S@z : %t : %x", binary, "2026-11-29T12:00:05+0100 : a/bin : ff0001"},
		{"%I|%U", hello, "2026-11-29T12:00:05+0100|1795950005.007000000"},
		{"%10.10t|%-10.2t|%010l|%-5l|%5q", hello, "       a/b|a/        |0000000005|5    |    1"},
		{"%08x|%X", binary, "00ff0001|FF0001"},
		{"%-08x|", binary, "ff0001  |"},
		{"%p", binary, "\xff\x00\x01"},
		{"%C%A%D%E%F%P%R%S", hello, ""},
		{"%j", hello, `{"tst":"2026-11-29T12:00:05.007000+0100","topic":"a/b","qos":1,"retain":1,"payloadlen":5,"mid":7,"payload":"hello"}`},
		{"%j", binary, `{"tst":"2026-11-29T12:00:05.007000+0100","topic":"a/bin","qos":0,"retain":0,"payloadlen":3,"payload_base64":"/wAB"}`},
		{"%J", object, `{"tst":"2026-11-29T12:00:05.007000+0100","topic":"a/j","qos":0,"retain":0,"payloadlen":15,"payload":{"x":[1,2.0]}}`},
		{"@a @A @b @B @c|@D|@e|@F|@I|@j|@k|@l|@p|@P|@r|@R|@T|@u|@U|@V|@w|@W|@y|@C|@G|@g|@n|@t", hello,
			"Sun Sunday Nov November Sun Nov 29 12:00:05 2026|11/29/26|29|2026-11-29|12|333|12|12|PM|pm|12:00:05 PM|12:00|12:00:05|7|48|48|0|47|26|20|2026|26|\n|\t"},
	} {
		if _, err := parseFormat(row.format, false, false); err != nil {
			t.Errorf("%s: %v", row.format, err)
			continue
		}
		got, err := mustFormat(row.format, false, false)(row.m, noon)
		if err != nil || string(got) != row.want {
			t.Errorf("%s: %q, %v\nwant %q", row.format, got, err, row.want)
		}
	}
	for _, bad := range []string{"%", "%5", "%-", "%y", "%99999t", "@", "%@", "@Q", `\`, `\q`, "%é"} {
		if _, err := parseFormat(bad, false, false); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if b, err := mustFormat("%J", false, false)(hello, noon); err == nil || !strings.Contains(err.Error(), "topic a/b is not JSON") {
		t.Errorf("%%J of what is not JSON: %s, %v", b, err)
	}
	if b, err := mustFormat("%J", false, true)(object, noon); err != nil || !strings.Contains(string(b), "\n    \"x\": [\n") {
		t.Errorf("--pretty: %s, %v", b, err)
	}
}

// FuzzFormat: no format and no message makes it fail, or play tricks on a terminal.
func FuzzFormat(f *testing.F) {
	f.Add("%t %p %j @Y", []byte("\x1b[31m"))
	f.Add(`%-010.3t%08x%J\e`, []byte(`{"a": "\u001b"}`))
	f.Fuzz(func(t *testing.T, format string, payload []byte) {
		pieces, err := parseFormat(format, true, false)
		if err != nil || len(pieces) > 100 {
			return
		}
		m := mqttlink.Message{Topic: "a\x1bb", Payload: payload}
		b, _ := mustFormat(format, true, false)(m, noon)
		if !strings.ContainsAny(format, "\x1b") && !strings.Contains(format, `\e`) && bytes.ContainsRune(b, 0x1b) {
			t.Errorf("%q lets %q through: %q", format, payload, b)
		}
	})
}

// TestPrint: how a message looks, in a pipe as mosquitto_sub prints it, and on a terminal
// without a way to play tricks on it.
func TestPrint(t *testing.T) {
	m := mqttlink.Message{Topic: "a/\u009bb", Payload: []byte("one\ntwo\x1b[31m\u202e")}
	empty := mqttlink.Message{Topic: "a"}
	binary := mqttlink.Message{Topic: "a", Payload: []byte{0xff, 0xd8, 0xff}}
	for _, row := range []struct {
		name string
		s    style
		m    mqttlink.Message
		want string
	}{
		{"payload", style{}, m, "one\ntwo\x1b[31m\u202e\n"},
		{"no end of line", style{bare: true}, binary, "\xff\xd8\xff"},
		{"topic", style{topics: true}, m, "a/\u009bb one\ntwo\x1b[31m\u202e\n"},
		{"topic, empty", style{topics: true}, empty, "a (null)\n"},
		{"json", style{json: true}, m, `{"tst":"2026-11-29T12:00:05.007000+0100","topic":"a/\u009bb","qos":0,"retain":0,"payloadlen":15,"payload":"one\ntwo\u001b[31m\u202e"}` + "\n"},
		{"long", style{long: true}, mqttlink.Message{Topic: "a", Payload: []byte(`{"a": [1, 2], "b": "x"}`), QoS: 1, Retain: true},
			"12:00:05.007 a (QoS 1 retained, 23 bytes)\n  {\n    \"a\": [\n      1,\n      2\n    ],\n    \"b\": \"x\"\n  }\n"},
		{"long, escaped", style{long: true}, m, "12:00:05.007 a/\\u009bb (QoS 0, 15 bytes)\n  one\\u000atwo\\u001b[31m\\u202e\n"},
	} {
		m := row.m
		m.Payload = bytes.Clone(m.Payload)
		got, err := newPrinter(row.s, io.Discard)(m, noon)
		if err != nil || string(got) != row.want {
			t.Errorf("%s: %q, %v\nwant %q", row.name, got, err, row.want)
		}
	}
	for _, row := range []struct {
		name      string
		got, want []byte
	}{
		{"terminal", safe(m.Payload), []byte(`one\u000atwo\u001b[31m\u202e`)},
		{"terminal, not text", safe(binary.Payload), []byte("(3 bytes that are not text: ffd8ff…)")},
		{"terminal, cut", safe([]byte(strings.Repeat("ä", shownAtMost)))[shownAtMost-2:], []byte(fmt.Sprintf("ä… (%d bytes)", 2*shownAtMost))},
		{"terminal, topic", topicAndPayload(m, true, coloured), []byte("\x1b[36ma/\\u009bb\x1b[0m one\\u000atwo\\u001b[31m\\u202e")},
	} {
		if !bytes.Equal(row.got, row.want) {
			t.Errorf("%s: %q\nwant %q", row.name, row.got, row.want)
		}
	}
}

// localBrokerOf starts a broker with retained messages, given as topic and payload in
// turn, and returns its port.
func localBrokerOf(t *testing.T, retained ...string) string {
	t.Helper()
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	e, err := endpoint.Parse(b.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(e.Port)
	for i := 0; i < len(retained); i += 2 {
		if _, said, code := cli(t, "", "pub", "-p", port, "-r", "-t", retained[i], "-m", retained[i+1]); code != 0 {
			t.Fatalf("pub: %d, %s", code, said)
		}
	}
	return port
}

// TestWatchEnds: what is printed, and why and how watch ends.
func TestWatchEnds(t *testing.T) {
	ownHome(t)
	port := localBrokerOf(t, "a/1", "one", "a/2", "two", "b", "three") // in no order
	for _, row := range []struct {
		line string
		code int
		out  string
		says string
	}{
		{"-t a/# -C 2", 0, "one\ntwo\n", ""},
		{"a/# -C 2", 0, "a/1 one\na/2 two\n", ""},
		{"-v -t a/1 -t b -C 2", 0, "a/1 one\nb three\n", ""},
		{"-v -t a/# -t a/+ -T a/1 -C 1", 0, "a/2 two\n", ""},
		{"-t a/1 -C 1 -N", 0, "one", ""},
		{"-t # -C 3 --filter-out b -W 0.4", 27, "one\ntwo\n", "timed out after 400ms, with 2 messages"},
		{"-t # -R -W 0.4", 27, "", "with 0 messages"},
		{"-t # -E", 0, "", ""},
		{"-t # --random-filter 0.0001 -W 0.4", 27, "", "with 0 messages"},
		{"-t a/1 -C 1 --quiet -W 5", 0, "one\n", ""},
		{"-t nothing --quiet -W 0.2", 27, "", ""},
		{"-t a/# -F %t=%p -C 2", 0, "a/1=one\na/2=two\n", ""},
		{"-t a/# -q 2 -C 2 -F %q", 0, "1\n1\n", "QoS 2 is not supported"},
		{"-t b -C 1 -i me --disable-clean-session", 0, "three\n", ""},
		{"-t b -C 1 --random-filter 100 --keepalive 10 -I my- --nodelay -V 311", 0, "three\n", ""},
	} {
		t.Run(row.line, func(t *testing.T) {
			out, said, code := cli(t, "", append([]string{"watch", "-p", port}, strings.Fields(row.line)...)...)
			if code != row.code || inOrder(out) != row.out || !strings.Contains(said, row.says) || row.says == "" && said != "" {
				t.Errorf("exit code %d, want %d; %q, want %q; said %q, want %q", code, row.code, out, row.out, said, row.says)
			}
		})
	}
	out, said, code := cli(t, "", "watch", "-L", "mqtt://127.0.0.1:"+port+"/a/1", "-C", "1", "--json")
	var m struct{ Topic, Payload string }
	if err := json.Unmarshal([]byte(out), &m); err != nil || code != 0 || said != "" || m.Topic != "a/1" || m.Payload != "one" {
		t.Errorf("-L, --json: %s, %v, %d, %s", out, err, code, said)
	}
}

// TestWatchLargeMessage: a picture passes as it is.
func TestWatchLargeMessage(t *testing.T) {
	ownHome(t)
	picture := bytes.Repeat([]byte{0xff, 0xd8, 0, '\n'}, 700<<8) // 700 KiB, above what waits for a slow reader
	if err := os.WriteFile("picture", picture, 0o600); err != nil {
		t.Fatal(err)
	}
	port := localBrokerOf(t)
	if _, said, code := cli(t, "", "pub", "-p", port, "-r", "-t", "a", "-f", "picture"); code != 0 {
		t.Fatalf("pub: %d, %s", code, said)
	}
	if out, said, code := cli(t, "", "watch", "-p", port, "-t", "a", "-C", "1", "-N", "-W", "20"); code != 0 || out != string(picture) {
		t.Errorf("exit code %d, %d bytes, %s", code, len(out), said)
	}
}

// inOrder sorts lines.
func inOrder(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestWatchWithoutBroker: the time of -W ends it also if there is no broker, with its
// reason.
func TestWatchWithoutBroker(t *testing.T) {
	ownHome(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, said, code := cli(t, "", "watch", "-h", address, "-W", "0.3", "-C", "1")
	if code != 1 || !strings.Contains(said, "no connection within 300ms: ") || !strings.Contains(said, "connection refused") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// TestRemoveRetained deletes what it prints, and nothing else, and ends with the
// first fresh message.
func TestRemoveRetained(t *testing.T) {
	ownHome(t)
	port := localBrokerOf(t, "a/1", "one", "a/2", "two", "a/keep", "three", "b", "four")
	out, said, code := cli(t, "", "watch", "-p", port, "-t", "a/#", "-T", "a/keep", "--remove-retained", "--retained-only")
	if code != 0 || inOrder(out) != "one\ntwo\n" {
		t.Errorf("exit code %d, %q, %s", code, out, said)
	}
	if out, _, _ = cli(t, "", "watch", "-p", port, "-C", "2", "-W", "10"); inOrder(out) != "a/keep three\nb four\n" {
		t.Errorf("left: %q", out)
	}
}

// TestWatchInterrupted: Ctrl-C ends it well, unless messages were counted on.
func TestWatchInterrupted(t *testing.T) {
	ownHome(t)
	port := localBrokerOf(t, "a", "one")
	for args, want := range map[string]int{"-t a": 0, "-t a -C 2": 1} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &firstWrite{do: cancel}
		var errs bytes.Buffer
		code := execute(ctx, append([]string{"watch", "-p", port}, strings.Fields(args)...), strings.NewReader(""), out, &errs)
		if code != want {
			t.Errorf("%s: exit code %d, want %d: %s", args, code, want, errs.String())
		}
		cancel()
	}
}

// TestWatchReaderGone: head(1) has had enough.
func TestWatchReaderGone(t *testing.T) {
	ownHome(t)
	port := localBrokerOf(t, "a", "one")
	var errs bytes.Buffer
	if code := execute(t.Context(), []string{"watch", "-p", port}, strings.NewReader(""), broken{}, &errs); code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

// firstWrite calls do once something is written.
type firstWrite struct {
	once sync.Once
	do   func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	w.once.Do(w.do)
	return len(p), nil
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestColours: only on a terminal, and not with NO_COLOR.
func TestColours(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, w := range []io.Writer{f, io.Discard} {
		if isTerminal(w) {
			t.Errorf("%v is taken for a terminal", w)
		}
	}
	if tty, err := os.Open("/dev/ptmx"); err == nil {
		defer tty.Close()
		m := mqttlink.Message{Topic: "a", Payload: []byte("x")}
		t.Setenv("TERM", "xterm")
		t.Setenv("NO_COLOR", "")
		if b, _ := newPrinter(style{topics: true}, tty)(m, noon); string(b) != "\x1b[36ma\x1b[0m x\n" {
			t.Errorf("terminal: %q", b)
		}
		t.Setenv("NO_COLOR", "1")
		if b, _ := newPrinter(style{topics: true}, tty)(m, noon); string(b) != "a x\n" {
			t.Errorf("NO_COLOR: %q", b)
		}
	}
}
