package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/mqttlink"
)

// What a recording looks like.
func TestRecordingLine(t *testing.T) {
	for _, row := range []struct {
		m    mqttlink.Message
		want string
	}{
		{mqttlink.Message{Topic: "hall/door", QoS: 1, Payload: []byte(`{"a":"<b>"}`)},
			`{"time":"2026-11-29T11:00:05.007Z","topic":"hall/door","qos":1,"retain":false,"payload":"{\"a\":\"<b>\"}"}`},
		{mqttlink.Message{Topic: "a", Retain: true}, `{"time":"2026-11-29T11:00:05.007Z","topic":"a","qos":0,"retain":true,"payload":""}`},
		{mqttlink.Message{Topic: "a", Payload: []byte{0xff, 0xd8, 0}}, `{"time":"2026-11-29T11:00:05.007Z","topic":"a","qos":0,"retain":false,"base64":"/9gA"}`},
	} {
		got, err := recordingLine(&row.m, noon)
		if err != nil || string(got) != row.want+"\n" {
			t.Errorf("%s, %v\nwant %s", got, err, row.want)
		}
		at, m, err := parseRecordingLine(bytes.TrimSuffix(got, []byte("\n")))
		if err != nil || !at.Equal(noon) || m.Topic != row.m.Topic || m.QoS != row.m.QoS || m.Retain != row.m.Retain || !bytes.Equal(m.Payload, row.m.Payload) {
			t.Errorf("read again: %v %+v, %v", at, m, err)
		}
	}
}

// Damaged lines are named by their number, and the others are read.
func TestRecordingDamaged(t *testing.T) {
	const good = `{"time":"2026-11-29T11:00:05Z","topic":"a","qos":0,"retain":false,"payload":"x"}`
	lines := []struct{ line, want string }{
		{good, ""},
		{"", "line 2: it is no message of a recording: EOF"},
		{good + good, "line 3: there is more behind the message"},
		{good, ""},
		{`{"time":"2026-11-29T11:00:05Z","topic":"a/#","payload":"x"}`, `line 5: not a valid MQTT topic: "a/#"`},
		{`{"topic":"a","payload":"x"}`, "line 6: it has no time"},
		{`{"time":"2026-11-29T11:00:05Z","topic":"a","qos":2,"payload":"x"}`, "line 7: its qos is 2; 0 and 1 are supported"},
		{`{"time":"2026-11-29T11:00:05Z","topic":"a"}`, "line 8: it has to have payload or base64, and not both"},
		{`{"time":"2026-11-29T11:00:05Z","topic":"a","payload":"","base64":""}`, "line 9: it has to have payload or base64, and not both"},
		{`{"time":"2026-11-29T11:00:05Z","topic":"a","base64":"!"}`, "line 10: it is no message of a recording: illegal base64"},
		{`{"time":"yesterday","topic":"a","payload":""}`, "line 11: it is no message of a recording: parsing time"},
		{`{"tst":"2026-11-29T11:00:05Z","topic":"a","payload":""}`, `line 12: it is no message of a recording: json: unknown field "tst"`},
		{good + "\r", ""},
		{strings.TrimSuffix(good, `"x"}`), "line 14: it is cut off: the recording ended in the middle of it"},
	}
	var text []string
	for _, l := range lines {
		text = append(text, l.line)
	}
	r := newRecording(strings.NewReader(strings.Join(text, "\n")))
	for _, l := range lines {
		_, m, err := r.next()
		if l.want == "" && (err != nil || m.Topic != "a") || l.want != "" && (err == nil || !strings.HasPrefix(err.Error(), l.want)) {
			t.Errorf("%s: %v, want %s", l.line, err, l.want)
		}
	}
	if _, _, err := r.next(); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
}

// A line without an end does not fill the memory, and what follows it is read.
func TestRecordingLongLine(t *testing.T) {
	long := io.LimitReader(zeros{}, recordingLongest+1<<20)
	r := newRecording(io.MultiReader(long, strings.NewReader("\n"+`{"time":"2026-11-29T11:00:05Z","topic":"a","payload":""}`)))
	if _, _, err := r.next(); err == nil || !strings.Contains(err.Error(), "line 1: it is longer than") {
		t.Errorf("%v", err)
	}
	if cap(r.buf) > 2*recordingLongest {
		t.Errorf("%d bytes are held", cap(r.buf))
	}
	if _, m, err := r.next(); err != nil || m.Topic != "a" {
		t.Errorf("the next line: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// FuzzRecording: no file makes it fail, and what was read is written so that it is the same.
func FuzzRecording(f *testing.F) {
	f.Add([]byte("{\"time\":\"2026-11-29T11:00:05.5+01:00\",\"topic\":\"a\",\"qos\":1,\"payload\":\"x\"}\n{}\n"))
	f.Add([]byte(`{"time":"0001-01-01T00:00:00.000000001Z","topic":"ä","base64":"/9gA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRecording(bytes.NewReader(b))
		for {
			at, m, err := r.next()
			if err == io.EOF {
				return
			}
			if d := (*damagedLine)(nil); errors.As(err, &d) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			line, err := recordingLine(&m, at)
			if err != nil {
				continue // a year above 9999
			}
			at2, m2, err := parseRecordingLine(bytes.TrimSuffix(line, []byte("\n")))
			if at.UTC().Truncate(time.Microsecond).IsZero() {
				continue
			}
			if err != nil || !at2.Equal(at.Truncate(time.Microsecond)) || m2.Topic != m.Topic || !bytes.Equal(m2.Payload, m.Payload) || m2.QoS != m.QoS || m2.Retain != m.Retain {
				t.Errorf("%+v becomes %+v, %v", m, m2, err)
			}
		}
	})
}

// sink records what a broker delivers, in order.
type sink struct {
	mu      sync.Mutex
	got     []string
	changed chan struct{}
}

func listen(t *testing.T, port string, filters ...string) *sink {
	t.Helper()
	s := &sink{changed: make(chan struct{}, 1)}
	ready := make(chan struct{}, 1)
	l, err := mqttlink.New(mqttlink.Options{Endpoint: "mqtt://127.0.0.1:" + port, CleanSession: true, MaxInbound: watchAtMost, OnSuback: func(_, refused []string) {
		if len(refused) > 0 {
			t.Errorf("refused: %q", refused)
		}
		ready <- struct{}{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.SubscribeAll(filters, 1, func(_ context.Context, m mqttlink.Message) {
		s.mu.Lock()
		s.got = append(s.got, fmt.Sprintf("%s %d %v %q", m.Topic, m.QoS, m.Retain, m.Payload))
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = l.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	<-ready
	return s
}

// wait returns the first n messages.
func (s *sink) wait(t *testing.T, n int) []string {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		got := slices.Clone(s.got)
		s.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-s.changed:
		case <-limit:
			t.Fatalf("%d of %d messages: %q", len(got), n, got)
		}
	}
}

// What is recorded at one broker and replayed at another is the same, in the same order.
func TestRecordAndReplay(t *testing.T) {
	ownHome(t)
	from, to := localBrokerOf(t), localBrokerOf(t)
	const n = 300
	recorded := make(chan string, 1)
	go func() {
		_, line, code := cli(t, "", "watch", "-p", from, "-t", "a/#", "-t", "b", "-T", "a/no", "-C", fmt.Sprint(n), "--record", "r.jsonl")
		recorded <- fmt.Sprintf("%d %s", code, line)
	}()
	source := publisher(t, from)
	var published []string
	said := ""
	for i := 0; said == ""; i++ { // the first ones come before the recorder has subscribed
		m := mqttlink.Message{Topic: fmt.Sprintf("a/%d", i%7), QoS: byte(i % 2), Payload: fmt.Appendf(nil, "message %d", i)}
		switch i % 10 {
		case 3:
			m.Topic, m.Payload = "b", []byte{0xff, byte(i), byte(i >> 8)}
		case 5:
			m.Topic = "a/no"
		}
		if err := source.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if m.Topic != "a/no" {
			published = append(published, fmt.Sprintf("%s %d false %q", m.Topic, m.QoS, m.Payload))
		}
		select {
		case said = <-recorded:
		case <-time.After(time.Millisecond):
		}
	}
	if !strings.HasPrefix(said, "0 ") || !strings.Contains(said, "pithings: recorded 300 messages, ") {
		t.Fatal(said)
	}
	want := linesOf(t, "r.jsonl")
	first := slices.Index(published, want[0])
	if first < 0 || !slices.Equal(want, published[first:min(first+n, len(published))]) {
		t.Errorf("recorded\n%q\npublished\n%q", want, published)
	}
	if st, err := os.Stat("r.jsonl"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	got := listen(t, to, "#")
	out, note, code := cli(t, "", "watch", "--replay", "r.jsonl", "--speed", "max", "-p", to)
	if code != 0 || out != "" || !strings.Contains(note, "pithings: published 300 of 300 messages in ") {
		t.Errorf("exit code %d, %q, %s", code, out, note)
	}
	if all := got.wait(t, n); !slices.Equal(all, want) {
		t.Errorf("replayed\n%q\nrecorded\n%q", all, want)
	}
}

// publisher is a link that publishes to a broker.
func publisher(t *testing.T, port string) *mqttlink.Link {
	t.Helper()
	l, err := mqttlink.New(mqttlink.Options{Endpoint: "mqtt://127.0.0.1:" + port, CleanSession: true, MaxQueued: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = l.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return l
}

// linesOf are the messages of a recording as sink has them.
func linesOf(t *testing.T, name string) (all []string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := newRecording(f)
	var before time.Time
	for {
		at, m, err := r.next()
		if err == io.EOF {
			return all
		}
		if err != nil || at.Before(before) {
			t.Fatalf("%v after %v, %v", at, before, err)
		}
		before = at
		all = append(all, fmt.Sprintf("%s %d %v %q", m.Topic, m.QoS, m.Retain, m.Payload))
	}
}

// A recording ends at its size with whole lines, and overwrites nothing.
func TestRecordBounds(t *testing.T) {
	ownHome(t)
	port := localBrokerOf(t, "a/1", strings.Repeat("x", 300), "a/2", strings.Repeat("y", 300), "a/3", strings.Repeat("z", 300))
	_, said, code := cli(t, "", "watch", "-p", port, "-t", "a/#", "--record", "r", "--max-size", "1000")
	if code != 1 || !strings.Contains(said, "the recording is full: message 3 would make it larger than 1000 (--max-size)") || !strings.Contains(said, "recorded 2 messages") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if n := len(linesOf(t, "r")); n != 2 {
		t.Errorf("%d messages", n)
	}
	before, _ := os.ReadFile("r")
	_, said, code = cli(t, "", "watch", "-p", port, "-t", "a/#", "--record", "r", "-C", "1")
	if after, _ := os.ReadFile("r"); code != 2 || !strings.Contains(said, "there is such a file already") || !bytes.Equal(before, after) {
		t.Errorf("exit code %d: %s", code, said)
	}
	_, said, code = cli(t, "", "watch", "-p", port, "-t", "nothing", "--record", "none", "-W", "2")
	if _, err := os.Stat("none"); code != 27 || err == nil || !strings.Contains(said, "nothing recorded") {
		t.Errorf("exit code %d, %v: %s", code, err, said)
	}
}

// recordingOf writes a recording with a message each 100 ms.
func recordingOf(t *testing.T, name string, ms ...mqttlink.Message) {
	t.Helper()
	var b []byte
	for i, m := range ms {
		line, err := recordingLine(&m, noon.Add(time.Duration(i)*100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, line...)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is replayed, and what is said.
func TestReplay(t *testing.T) {
	ownHome(t)
	recordingOf(t, "r", mqttlink.Message{Topic: "a", Retain: true, Payload: []byte("1")}, mqttlink.Message{Topic: "$aws/things/x/shadow/get", QoS: 1},
		mqttlink.Message{Topic: "b", QoS: 1, Payload: []byte("2")}, mqttlink.Message{Topic: "a", QoS: 1, Payload: []byte("3")})
	recordingOf(t, "empty")
	whole, err := os.ReadFile("r")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("cut", append([]byte("{}\n"), whole[:len(whole)-3]...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		line string
		code int
		got  []string
		says string
	}{
		{"--replay r --speed 1000", 0, []string{`a 0 false "1"`, `b 1 false "2"`, `a 1 false "3"`}, "1 message on topics that begin with $ are left out"},
		{"--replay r --speed 0 -t a", 0, []string{`a 0 false "1"`, `a 1 false "3"`}, "published 2 of 2 messages in"},
		{"--replay r --speed max -T a", 0, []string{`b 1 false "2"`}, "published 1 of 1 message in"},
		{"--replay cut --speed max", 1, []string{`a 0 false "1"`, `b 1 false "2"`}, "cut: line 5: it is cut off"},
		{"--replay cut --speed max", 1, []string{`a 0 false "1"`, `b 1 false "2"`}, "without 2 lines that could not be read"},
		{"--replay empty", 1, nil, "it has no messages to publish"},
		{"--replay nowhere", 2, nil, "nowhere: no such file"},
		{"--replay .", 2, nil, "it is no regular file"},
		{"--replay r --json", 2, nil, "--json is for messages that come"},
		{"--replay r --record s", 2, nil, "--record is for messages that come"},
		{"--replay r --speed -1", 2, nil, "give a number such as 10 or 0.5"},
		{"--speed 3", 2, nil, "--speed goes with --replay FILE"},
		{"--max-size 3", 2, nil, "--max-size goes with --record FILE"},
		{"--record s -v", 2, nil, "--record prints no messages, and --topics says how"},
	} {
		t.Run(row.line, func(t *testing.T) {
			port := localBrokerOf(t)
			got := listen(t, port, "#")
			out, said, code := cli(t, "", append([]string{"watch", "-p", port}, strings.Fields(row.line)...)...)
			if code != row.code || out != "" || !strings.Contains(said, row.says) {
				t.Errorf("exit code %d, want %d; %q; said %q, want %q", code, row.code, out, said, row.says)
			}
			if all := got.wait(t, len(row.got)); !slices.Equal(all, row.got) {
				t.Errorf("published %q, want %q", all, row.got)
			}
		})
	}
	if _, said, code := cli(t, "", "watch", "--replay", "r"); code != 2 || !strings.Contains(said, "name the broker") {
		t.Errorf("without a broker: %d, %s", code, said)
	}
	port := localBrokerOf(t)
	if _, said, code := cli(t, "", "watch", "-p", port, "--replay", "r", "--retain", "--speed", "max"); code != 0 {
		t.Errorf("--retain: %d, %s", code, said)
	}
	if all := listen(t, port, "#").wait(t, 1); all[0] != `a 0 true "1"` {
		t.Errorf("kept: %q", all)
	}
}

// The distances are those of the recording, divided by the speed.
func TestReplaySpeed(t *testing.T) {
	ownHome(t)
	port := localBrokerOf(t)
	recordingOf(t, "r", slices.Repeat([]mqttlink.Message{{Topic: "a", QoS: 1}}, 5)...) // 400 ms
	for speed, least := range map[string]time.Duration{"1": 400 * time.Millisecond, "4": 100 * time.Millisecond} {
		began := time.Now()
		if _, said, code := cli(t, "", "watch", "-p", port, "--replay", "r", "--speed", speed); code != 0 || time.Since(began) < least {
			t.Errorf("speed %s: %d after %v, want %v at least: %s", speed, code, time.Since(began), least, said)
		}
	}
}

// Ctrl-C and -W say how far it came.
func TestReplayInterrupted(t *testing.T) {
	ownHome(t)
	port := localBrokerOf(t)
	got := listen(t, port, "#")
	ms := slices.Repeat([]mqttlink.Message{{Topic: "a", QoS: 1}}, 3)
	recordingOf(t, "r", ms...)
	text, err := os.ReadFile("r")
	if err != nil {
		t.Fatal(err)
	}
	hour := strings.Replace(string(text), "11:00:05.207Z", "12:00:05.207Z", 1) // the third one comes an hour later
	if err := os.WriteFile("r", []byte(hour), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		got.wait(t, 2)
		cancel()
	}()
	var errs bytes.Buffer
	if code := execute(ctx, []string{"watch", "-p", port, "--replay", "r"}, strings.NewReader(""), io.Discard, &errs); code != 1 || !strings.Contains(errs.String(), "interrupted: 2 of 3 messages published") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if _, said, code := cli(t, "", "watch", "-p", port, "--replay", "r", "-W", "3"); code != 27 || !strings.Contains(said, "timed out after 3s, with 2 of 3 messages published") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// How the bar looks.
func TestReplayBar(t *testing.T) {
	r := &replay{o: &watchOptions{}, total: 200, sent: 49, dead: 1}
	if got := r.bar(10 * time.Second); got != "[#####               ] 25 %, 50 of 200 messages, 30s left" {
		t.Error(got)
	}
	r.o.speed, r.length = 10, 5*time.Minute
	if got := r.bar(10 * time.Second); got != "[#####               ] 25 %, 50 of 200 messages, 20s left" {
		t.Error(got)
	}
}
