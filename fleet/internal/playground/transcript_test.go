package playground

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/awsiot"
	web "pithings/awsiot/playground"
	"pithings/mqttlink/packet"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// recorder is a device's way out: it writes down what is published.
type recorder struct {
	now  time.Duration
	text strings.Builder
}

func (r *recorder) Publish(m packet.Message) {
	qos := ""
	if m.QoS > 0 {
		qos = fmt.Sprintf(" (QoS %d)", m.QoS)
	}
	fmt.Fprintf(&r.text, "%7.1fs  %s %s%s\n", r.now.Seconds(), m.Topic, m.Payload, qos)
}

func (r *recorder) note(what string) { fmt.Fprintf(&r.text, "%7.1fs  %s\n", r.now.Seconds(), what) }

func (r *recorder) Free() int  { return 20 }
func (r *recorder) Reconnect() { r.note("reconnects") }
func (r *recorder) Break()     { r.note("breaks the connection") }
func (r *recorder) Leave()     { r.note("leaves") }
func (r *recorder) Join()      { r.note("joins") }

// settings are those of all transcripts.
func settings() *Settings {
	return &Settings{Interval: 60 * time.Second, Defender: 300 * time.Second, KeepAlive: 30 * time.Second,
		IP: "192.0.2.7", Broker: "192.0.2.1:8883", Started: time.Unix(1_606_780_800, 0)}
}

// play runs a device through a script: lines of a time in seconds, and online, offline, what is done
// to it from outside, or a topic and a payload that it receives.
func play(t *testing.T, d *Device, script string, end time.Duration) string {
	t.Helper()
	r := &recorder{}
	session := d.Session()
	fmt.Fprintf(&r.text, "client id  %s, keep alive %d s\nwill       %s %s (QoS %d)\n", session.Login.ClientID, session.Login.KeepAlive, session.Login.Will.Topic, session.Login.Will.Payload, session.Login.Will.QoS)
	for _, f := range session.Filters {
		fmt.Fprintf(&r.text, "subscribes %s\n", f.Topic)
	}
	if len(session.Filters) > awsiot.MaxFilters {
		t.Errorf("%d filters", len(session.Filters))
	}
	online := false
	until := func(end time.Duration) {
		for w := d.Wake(); online && w < end; w = d.Wake() {
			r.now = max(w, r.now)
			d.Tick(r.now, r)
			if d.Wake() <= r.now {
				t.Fatalf("at %v it wants to be called at %v", r.now, d.Wake())
			}
		}
		r.now = end
	}
	for lines := bufio.NewScanner(strings.NewReader(script)); lines.Scan(); {
		var at float64
		words := strings.SplitN(strings.TrimSpace(lines.Text()), " ", 3)
		if len(words) < 2 {
			continue
		}
		if _, err := fmt.Sscan(words[0], &at); err != nil {
			t.Fatal(err)
		}
		until(time.Duration(math.Round(at * float64(time.Second))))
		fmt.Fprintf(&r.text, "%7.1fs  < %s\n", r.now.Seconds(), strings.Join(words[1:], " "))
		switch words[1] {
		case "online":
			online = true
			d.Online(r.now, r)
		case "offline":
			online = false
			d.Offline(r.now)
		case "act", "press", "time", "ddm_sr", "topic", "payload", "shadow":
			if err := outside(d, r, words[1], strings.Join(words[2:], "")); err != nil {
				r.note("error: " + err.Error())
			}
		default:
			payload := ""
			if len(words) > 2 {
				payload = words[2]
			}
			d.Receive(r.now, &packet.Message{Topic: words[1], Payload: []byte(payload)}, r)
		}
	}
	until(end)
	return r.text.String()
}

// golden compares a transcript with that in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is right, run the test with -update\n%s", file, got)
	}
}

// What each kind of device says in ten minutes.
func TestTranscripts(t *testing.T) {
	const status = `1.0 $aws/things/dev-0001/shadow/get/accepted {"state":{"desired":{"debug":"off","status":"on"}},"version":2}
		30 $aws/things/dev-0001/shadow/update/accepted {"state":{"desired":{"status":"off"}},"version":3}
		31 $aws/things/dev-0001/shadow/update/accepted {"state":{"reported":{"status":"off"}},"version":4}
		32 $aws/things/dev-0001/shadow/update/accepted {"state":{"desired":{"status":"off"}},"version":5}
		33 $aws/things/dev-0001/shadow/update/accepted {"state":{"desired":{"status":7}},"version":6}
		34 $aws/things/dev-0001/shadow/update/accepted {"state":"x"}
		35 $aws/things/dev-0002/shadow/update/accepted {"state":{"desired":{"status":"on"}},"version":3}`
	for _, tc := range []struct {
		name   string
		kind   Kind
		script string
	}{
		{"generic", Generic, `0.5 online
			20 cmd/ac/dev-0001/req {"type":"diagnose","session-id":"4711","response-topic":"cmd/ac/dev-0001/res"}
			100 offline
			250 online`},
		{"bulb", Bulb, "0.5 online\n" + status},
		{"controlled", Controlled, "0.5 online\n" + status},
		{"switch", Switch, "0.5 online"},
		{"telemetry", Telemetry, "0.5 online\n" + status + `
			40 cmd/ac/dev-0001/req {"type":"x","session-id":1,"response-topic":"a"}`},
		{"jobs", Generic, `0.5 online
			1 $aws/things/dev-0001/jobs/get/accepted {"queuedJobs":[{"jobId":"a"}],"inProgressJobs":[]}
			2 $aws/things/dev-0001/jobs/start-next/accepted {"execution":{"jobId":"a","versionNumber":1,"jobDocument":{"action":"change-unit","unit":"imperial"}}}
			3 $aws/things/dev-0001/jobs/notify-next {"execution":{"jobId":"b"},"timestamp":1}
			4 $aws/things/dev-0001/jobs/start-next/accepted {"execution":{"jobId":"b","versionNumber":3,"jobDocument":{"action":"update-firmware","firmware_file_url":"https://example.com/f"}}}
			5 $aws/things/dev-0001/jobs/notify-next {"execution":{"jobId":"b"},"timestamp":1}
			12 $aws/things/dev-0001/jobs/notify-next {"execution":{"jobId":"c"}}
			13 $aws/things/dev-0001/jobs/start-next/accepted {"execution":{"jobId":"c","versionNumber":1,"jobDocument":{"action":"rotate-cert"}}}
			14 $aws/things/dev-0001/jobs/start-next/accepted {"execution":{"jobId":"d","versionNumber":1,"jobDocument":{"action":"Rotate-Cert","config_file_url":"https://example.com/c"}}}
			15 $aws/things/dev-0001/jobs/start-next/accepted {"execution":{"jobId":"e","versionNumber":1,"jobDocument":{"action":"explode"}}}
			16 $aws/things/dev-0001/jobs/start-next/accepted {"timestamp":1}
			17 $aws/things/dev-0001/jobs/notify-next {"timestamp":1}
			18 $aws/things/dev-0001/jobs/start-next/accepted {"execution":{"jobId":"../x","versionNumber":1}}
			19 $aws/things/dev-0001/jobs/get/accepted {"queuedJobs":[],"inProgressJobs":[{"jobId":"z"}]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := New(settings(), Device{Name: "dev-0001", Kind: tc.kind, Target: "dev-0002", Seed: 1})
			golden(t, tc.name, play(t, d, tc.script, 10*time.Minute))
		})
	}
}

// Commands that cannot be answered, or would end the session of who answers, are not.
func TestCommands(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tc := range []struct{ payload, want string }{
		{`{"type":"a","session-id":"s","response-topic":"cmd/r"}`, `cmd/r {"session-id":"s","status":"OK"}`},
		{`{"type":null,"session-id":{"a":[1]},"response-topic":"r","more":1}`, `r {"session-id":{"a":[1]},"status":"OK"}`},
		{`{"session-id":"s","status":"OK"}`, ``}, // an answer: two devices must not talk for ever
		{`{"type":"a","session-id":"s"}`, ``},
		{`{"type":"a","response-topic":"r"}`, ``},
		{`{"type":"a","session-id":"s","response-topic":"r/+"}`, ``},
		{`{"type":"a","session-id":"s","response-topic":"$aws/things/x/shadow/delete"}`, ``},
		{`{"type":"a","session-id":"s","response-topic":"` + long + `"}`, ``},
		{`{"type":"a","session-id":"s","response-topic":"a/b/c/d/e/f/g/h/i"}`, ``},
		{`{"type":"a","session-id":"` + long + `","response-topic":"r"}`, ``},
		{`{"type":"a","session-id":"s","response-topic":7}`, ``},
		{`[1]`, ``}, {``, ``}, {`{`, ``},
	} {
		r := &recorder{}
		d := New(settings(), Device{Name: "d"})
		d.Receive(0, &packet.Message{Topic: "cmd/ac/d/req", Payload: []byte(tc.payload)}, r)
		if got := strings.TrimPrefix(strings.TrimSpace(r.text.String()), "0.0s  "); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.payload, got, tc.want)
		}
	}
}

// Two runs with one seed say the same, also when one of them is offline for a time; another seed
// says something else.
func TestSeeds(t *testing.T) {
	values := func(seed uint64, script string) string {
		d := New(settings(), Device{Name: "dev-0001", Kind: Switch, Target: "dev-0002", Seed: seed})
		var all []string
		for _, line := range strings.Split(play(t, d, script, 2*time.Hour), "\n") {
			if _, message, ok := strings.Cut(line, "s  "); ok && (strings.HasPrefix(message, "dt/") || strings.Contains(message, "desired")) {
				all = append(all, message)
			}
		}
		return strings.Join(all[:100], "\n")
	}
	const steady, shaky = "0.5 online", "0.5 online\n1000 offline\n1500 online\n1501 offline\n1502 online"
	if values(7, steady) != values(7, shaky) {
		t.Error("the same seed says something else when connections are lost")
	}
	if values(7, steady) == values(8, steady) {
		t.Error("another seed says the same")
	}
}

// A device whose interval is shorter than the time between two ticks publishes several values at
// each, and makes up for what it missed only if that is little.
func TestShortIntervals(t *testing.T) {
	set := settings()
	set.Interval = time.Millisecond
	d := New(set, Device{Name: "d", Kind: Telemetry})
	c := &checker{t: t}
	d.Online(0, c)
	for now := 10 * time.Millisecond; now <= time.Second; now += 10 * time.Millisecond {
		d.Tick(now, c)
	}
	if c.n < 1000 || c.n > 1003 { // the event, and the phase
		t.Errorf("%d messages in a second", c.n)
	}
	d.Offline(time.Second)
	c.n = 0
	d.Online(time.Hour, c)
	d.Tick(time.Hour+10*time.Millisecond, c)
	if c.n != 1+10 {
		t.Errorf("%d messages after an hour offline", c.n)
	}
	c.n = 0
	d.Tick(time.Hour+time.Second, c) // a tick that came late
	if c.n != burst {
		t.Errorf("%d messages at once", c.n)
	}
}

func TestKinds(t *testing.T) {
	for i, name := range Kinds() {
		if k, err := ParseKind(name); err != nil || k != Kind(i) || k.String() != name {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	if _, err := ParseKind("blub"); err == nil || !strings.Contains(err.Error(), "bulb") {
		t.Errorf("blub: %v", err)
	}
}

// FuzzReceive: no message makes a device crash, publish what no broker takes, or call itself
// without end.
func FuzzReceive(f *testing.F) {
	for _, s := range []string{
		`{"type":"a","session-id":"s","response-topic":"cmd/r"}`,
		`{"state":{"desired":{"status":"on"}}}`,
		`{"execution":{"jobId":"a","versionNumber":1,"jobDocument":{"action":"update-firmware","firmware_file_url":"x"}}}`,
		`{"queuedJobs":[{}]}`,
	} {
		for what := range 5 {
			f.Add(uint8(what), []byte(s))
		}
	}
	topics := []string{"cmd/ac/d/req", "$aws/things/d/shadow/get/accepted", "$aws/things/d/jobs/notify-next", "$aws/things/d/jobs/get/accepted", "$aws/things/d/jobs/start-next/accepted"}
	f.Fuzz(func(t *testing.T, what uint8, payload []byte) {
		d := New(settings(), Device{Name: "d", Kind: Controlled})
		c := &checker{t: t}
		d.Online(0, c)
		d.Receive(time.Second, &packet.Message{Topic: topics[int(what)%len(topics)], Payload: payload}, c)
		d.Tick(d.Wake(), c)
		if c.n > 3+1+2+1 {
			t.Fatalf("%d messages", c.n)
		}
	})
}

// checker is a way out that checks.
type checker struct {
	t *testing.T
	n int
}

func (c *checker) Publish(m packet.Message) {
	if c.n++; web.CheckTopic(strings.TrimPrefix(m.Topic, "$")) != nil || len(m.Payload) > 1000 {
		c.t.Fatalf("%q %d bytes", m.Topic, len(m.Payload))
	}
}

func (c *checker) Free() int  { return 0 }
func (c *checker) Reconnect() {}
func (c *checker) Break()     {}
func (c *checker) Leave()     {}
func (c *checker) Join()      {}
