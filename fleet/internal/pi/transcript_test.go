package pi

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/awsiot"
	"pithings/mqttlink/packet"
	"pithings/things"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// recorder is a Pi's way out: it writes down what is published.
type recorder struct {
	now  time.Duration
	text strings.Builder
	all  []packet.Message
}

func (r *recorder) Free() int { return 1 }

func (r *recorder) Publish(m packet.Message) {
	m.Payload = slices.Clone(m.Payload)
	r.all = append(r.all, m)
	how := ""
	if m.QoS > 0 {
		how = " (QoS 1)"
	}
	if m.Retain {
		how = " (QoS 1, retained)"
	}
	fmt.Fprintf(&r.text, "%7.1fs  %s %s%s\n", r.now.Seconds(), m.Topic, m.Payload, how)
}

func (r *recorder) Reconnect() { panic("a Pi reconnects") }
func (r *recorder) Break()     { panic("a Pi breaks its connection") }
func (r *recorder) Leave()     { panic("a Pi leaves") }
func (r *recorder) Join()      { panic("a Pi joins") }

// settings are those of all transcripts.
func settings() *Settings {
	return &Settings{
		Interval: 30 * time.Second, Motion: time.Minute, KeepAlive: 30 * time.Second, Started: time.Unix(1_606_780_800, 0), Status: true,
		URI: func(device int, number uint32) string {
			return fmt.Sprintf("http://192.0.2.7/pictures/%d-%d.jpg", device, number)
		},
		Vet: func(uri string) string {
			if strings.HasPrefix(uri, "http://192.0.2.7/") {
				return ""
			}
			return "no"
		},
	}
}

// play runs a Pi through a script: lines of a time in seconds, and online, offline, or a topic and a
// payload that it receives; [dup] or [retained] stand before the payload. Calls come late by lag.
func play(t *testing.T, d *Device, script string, end, lag time.Duration) *recorder {
	t.Helper()
	r := &recorder{}
	session := d.Session()
	will := session.Login.Will
	fmt.Fprintf(&r.text, "client id  %s, keep alive %d s\nwill       %s %s (QoS %d, retained %v)\n", session.Login.ClientID, session.Login.KeepAlive, will.Topic, will.Payload, will.QoS, will.Retain)
	for _, f := range session.Filters {
		fmt.Fprintf(&r.text, "subscribes %s (QoS %d)\n", f.Topic, f.QoS)
	}
	if len(session.Filters) > awsiot.MaxFilters {
		t.Errorf("%d filters", len(session.Filters))
	}
	online := false
	until := func(end time.Duration) {
		for w := d.Wake(); online && w < end; w = d.Wake() {
			r.now = min(max(w, r.now)+lag, end)
			d.Tick(r.now, r)
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
		case "leaves":
			online = false
			d.Last(r.now, r)
			d.Offline(r.now)
		default:
			m := &packet.Message{Topic: words[1], QoS: 1}
			payload := ""
			if len(words) > 2 {
				payload = words[2]
			}
			payload, m.Dup = cut(payload, "[dup] ")
			payload, m.Retain = cut(payload, "[retained] ")
			m.Payload = []byte(payload)
			d.Receive(r.now, m, r)
		}
	}
	until(end)
	return r
}

func cut(s, mark string) (string, bool) {
	rest, ok := strings.CutPrefix(s, mark)
	return rest, ok
}

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

const capture, display, end = "dev-0001/TG_Camera/capture ", "dev-0001/TG_Screen/display ", "dev-0001/TG_Screen/end "

// What a Pi says in some minutes.
func TestTranscripts(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		end          time.Duration
		change       func(*Settings)
		counts       string // captures, finished, shown, cleared; why not shown
	}{
		{name: "hours", script: "0.5 online\n 130 offline\n 250 online\n 290 leaves", end: 300 * time.Second, counts: "0 0 0 0 map[]"},
		{name: "camera", script: `0.5 online
			10 ` + capture + `{}
			20 ` + capture + `anything
			20.1 ` + capture + `{"token": "a"}
			20.2 ` + capture + `{"token": "b"}
			20.3 ` + capture + `{"token": "a"}
			22 ` + capture + `{"token": "a"}
			22.5 ` + capture + `{"token": "a"}
			23 ` + capture + `[dup] {}
			24 ` + capture + `[retained] {}
			25 dev-0002/TG_Camera/capture {}
			26 ` + capture + `{}
			26.1 offline
			40 online`, end: 50 * time.Second, counts: "4 7 0 0 map[]"},
		{name: "screen", script: `0.5 online
			10 ` + display + `{"imageUri":"http://192.0.2.7/pictures/0-1.jpg"}
			15 ` + display + `{"imageUri":"http://192.0.2.7/pictures/0-2.jpg"}
			26 ` + display + `{"imageUri":"http://192.0.2.7/pictures/0-3.jpg"}
			27 ` + display + `{"imageUri":""}
			28 ` + display + `{"imageUri":"http://192.0.2.7/pictures/0-4.jpg"}
			29 ` + end + `{}
			30 ` + display + `{}
			31 ` + display + `{"imageUri":"http://192.0.2.99/x.jpg"}
			32 ` + display + `nonsense
			33 ` + display + `{"imageUri":7}`, end: 50 * time.Second,
			counts: "0 0 4 3 map[no:1 the command is no JSON object with imageUri, a text:2]"},
		{name: "flows", script: "0.5 online", end: 20 * time.Second, change: func(s *Settings) { s.Flows, s.Motion = true, 0 }, counts: "0 0 0 0 map[]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set := settings()
			if tc.change != nil {
				tc.change(set)
			}
			r := play(t, New(set, Device{Name: "dev-0001", Seed: 42}), tc.script, tc.end, 0)
			golden(t, tc.name, r.text.String())
			c := &set.Counts
			if got := fmt.Sprint(c.Captures.Load(), c.Finished.Load(), c.Shown.Load(), c.Cleared.Load(), c.NotShown()); got != tc.counts {
				t.Errorf("counts %s, want %s", got, tc.counts)
			}
		})
	}
}

// The contract has the topics of all things of a Pi, with the QoS of their kinds, and there is no
// reading without a topic.
func TestContract(t *testing.T) {
	c := newContract()
	all := append(c.commands(), c.motion, c.finished)
	for _, f := range c.readings {
		all = append(all, f)
	}
	want := 0
	for _, name := range parts {
		k := things.KindOf(name)
		for _, topic := range k.Topics {
			want++
			f := form{"/" + strings.ReplaceAll(topic.Template, "{thing}", k.Example), topic.QoS, topic.Retain}
			if !slices.Contains(all, f) {
				t.Errorf("%s, %s: %+v is not in the contract", name, topic.Role, f)
			}
		}
	}
	if len(all) != want {
		t.Errorf("%d topics, want %d", len(all), want)
	}
	n := 0
	for role := range room(1, 0, time.Unix(0, 0)).Payloads(things.Tutorial, 0) {
		n++
		if c.readings[role].topic == "" {
			t.Errorf("a reading has a message %s, which has no topic", role)
		}
	}
	if n != len(c.readings) {
		t.Errorf("%d messages of a reading, want %d", n, len(c.readings))
	}
}

// One seed has the same messages in the same order, whether calls come in time or late, and another
// one has others.
func TestSeed(t *testing.T) {
	messages := func(seed uint64, lag time.Duration) (all []string) {
		for _, m := range play(t, New(settings(), Device{Name: "dev-0001", Seed: seed}), "1 online", 20*time.Minute, lag).all {
			all = append(all, fmt.Sprintf("%s %s", m.Topic, m.Payload))
		}
		return all
	}
	want := messages(1, 0)
	for _, lag := range []time.Duration{0, 10 * time.Millisecond, 700 * time.Millisecond} {
		got := messages(1, lag)
		if n := min(len(got), len(want)); n < 200 || !slices.Equal(got[:n], want[:n]) || len(want)-len(got) > burst {
			t.Errorf("%v late: %d messages, want %d, or others", lag, len(got), len(want))
		}
	}
	if slices.Equal(messages(2, 0), want) {
		t.Error("another seed has the same messages")
	}
}

// Motion is like that of the sensor: never twice within its pulse and the blind time behind it, and on
// average as often as wanted.
func TestMotion(t *testing.T) {
	set := settings()
	set.Interval = 24 * time.Hour
	var times []time.Duration
	d := New(set, Device{Name: "d", Seed: 3})
	r := &recorder{}
	d.Online(0, r)
	for len(times) < 5000 {
		at := d.motion
		before := set.Counts.Motions.Load()
		d.Tick(at, r)
		if set.Counts.Motions.Load() == before+1 {
			times = append(times, at)
		}
	}
	for i := range times[1:] {
		if gap := times[i+1] - times[i]; gap < knob+blind {
			t.Fatalf("motion begins %v after motion", gap)
		}
	}
	mean := (times[len(times)-1] - times[0]) / time.Duration(len(times)-1)
	if want := Between(set.Motion); math.Abs(float64(mean-want)) > 0.05*float64(want) {
		t.Errorf("motion every %v on average, want %v", mean, want)
	}
}

// The air is plausible for the sensor and moves slowly.
func TestRoom(t *testing.T) {
	quantities := things.KindOf("environment").Usually().Model.Quantities
	values := func(r things.Reading) (all map[string]float64) {
		if err := json.Unmarshal(r.State(), new(any)); err != nil {
			t.Fatal(err)
		}
		return map[string]float64{"temperature": r.Temperature, "humidity": r.Humidity, "pressure": r.Pressure, "gas": r.Gas}
	}
	most := map[string]float64{"temperature": 0.02, "humidity": 0.05, "pressure": 0.02, "gas": 1000}
	for seed := range uint64(50) {
		for since := time.Duration(0); since < 5*24*time.Hour; since += 97 * time.Minute {
			at := time.Unix(0, 0)
			now, next := values(room(seed, since, at)), values(room(seed, since+time.Second, at))
			for _, q := range quantities {
				v := now[q.Name]
				if !q.Plausible(v) || math.Abs(v-next[q.Name]) > most[q.Name] {
					t.Fatalf("seed %d: %s %v, and a second later %v", seed, q.Name, v, next[q.Name])
				}
			}
			if now["temperature"] < 15 || now["temperature"] > 28 || now["humidity"] < 25 || now["humidity"] > 75 {
				t.Fatalf("seed %d: %v is no room", seed, now)
			}
		}
	}
}

// FuzzReceive: no message makes a Pi publish more than its answers, or elsewhere than below its
// name.
func FuzzReceive(f *testing.F) {
	for i := range 4 {
		f.Add(uint8(i), []byte(`{}`), false)
		f.Add(uint8(i), []byte(`{"token":"x","imageUri":"http://192.0.2.7/a"}`), true)
	}
	topics := []string{strings.TrimSpace(capture), strings.TrimSpace(display), strings.TrimSpace(end), "dev-0001/TG_MS/motion"}
	f.Fuzz(func(t *testing.T, what uint8, payload []byte, dup bool) {
		d := New(settings(), Device{Name: "dev-0001", Seed: 1})
		r := &recorder{}
		d.Online(0, r)
		before := len(r.all)
		d.Receive(time.Second, &packet.Message{Topic: topics[int(what)%len(topics)], Payload: payload, Dup: dup}, r)
		d.Tick(2*time.Second, r)
		if len(r.all) > before+1 {
			t.Fatalf("%d messages for one", len(r.all)-before)
		}
		for _, m := range r.all[before:] {
			if !strings.HasPrefix(m.Topic, "dev-0001/") || len(m.Payload) > 2048 || !json.Valid(m.Payload) {
				t.Fatalf("%s %s", m.Topic, m.Payload)
			}
		}
	})
}
