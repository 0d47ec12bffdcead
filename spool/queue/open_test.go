package queue

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	"pithings/mqttlink/topic"
	"pithings/spool/state"
)

// rig is a state folder, and the log of what happens to it.
type rig struct {
	*testing.T
	state state.Folder
	log   bytes.Buffer
	used  map[string]bool
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, state: state.Folder{Dir: t.TempDir()}, used: map[string]bool{}}
	if err := r.state.Own(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.state.Close)
	return r
}

func (r *rig) open(name, id string) *outbox.Disk {
	r.Helper()
	box, err := Open(&r.state, name, id, func(id string) bool { return r.used[id] }, outbox.DiskOptions{Log: slog.New(slog.NewTextHandler(&r.log, nil))})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { box.Close() })
	return box
}

func (r *rig) put(box *outbox.Disk, texts ...string) {
	r.Helper()
	for _, s := range texts {
		if _, err := box.Append(outbox.Record{Topic: "t", Payload: []byte(s), QoS: 1, Class: outbox.Alarm, Expiry: time.Hour, Time: time.UnixMilli(1581417910123)}); err != nil {
			r.Fatal(err)
		}
	}
	if err := box.Close(); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) texts(box *outbox.Disk) string {
	r.Helper()
	var found []string
	for pos := uint64(0); ; {
		m, ok, err := box.Next(pos)
		if err != nil {
			r.Fatal(err)
		}
		if !ok {
			return strings.Join(found, " ")
		}
		if m.QoS != 1 || m.Class != outbox.Alarm || m.Expiry != time.Hour || m.Time.UnixMilli() != 1581417910123 {
			r.Errorf("%+v has changed", m)
		}
		found = append(found, string(m.Payload))
		pos = m.Seq + 1
	}
}

// A backlog follows the connection when its client id changes, in order, and before
// what was there already only if nothing was.
func TestBacklogFollowsTheClientID(t *testing.T) {
	r := newRig(t)
	r.put(r.open("", "old"), "1", "2")
	box := r.open("", "new")
	if got := r.texts(box); got != "1 2" {
		t.Errorf("under the new id: %q", got)
	}
	if !strings.Contains(r.log.String(), "client id has changed") {
		t.Errorf("it is not logged: %s", r.log.String())
	}
	r.put(box, "3")
	if _, err := os.Stat(r.state.QueueDir("old")); err == nil {
		t.Error("the old outbox is still there")
	}

	// Into one that has messages, more than a batch.
	var many []string
	for i := range 3*batch + 1 {
		many = append(many, fmt.Sprint(i))
	}
	r.put(r.open("other", "b"), many...)
	r.put(r.open("third", "a"), "x")
	if got, want := r.texts(r.open("other", "a")), "x "+strings.Join(many, " "); got != want {
		t.Errorf("moved into another: %.80q, want %.80q", got, want)
	}
}

// A client id that another connection has now keeps its messages.
func TestSwappedClientIDs(t *testing.T) {
	r := newRig(t)
	r.put(r.open("x", "a"), "1")
	r.put(r.open("y", "b"), "2")
	r.used["a"], r.used["b"] = true, true
	if got := r.texts(r.open("x", "b")); got != "2" {
		t.Errorf("%q", got)
	}
	if got := r.texts(r.open("y", "a")); got != "1" {
		t.Errorf("%q", got)
	}
}

// What people may want to look at stays where it is.
func TestAsideStays(t *testing.T) {
	r := newRig(t)
	r.put(r.open("", "old"), "1")
	if err := NewDeadLetters(r.state.QueueDir("old")).Keep(mqttlink.DeadLetter{Message: mqttlink.Message{Topic: "t"}, Reason: "why", Sessions: 3}); err != nil {
		t.Fatal(err)
	}
	r.put(r.open("elsewhere", "new"), "0")
	if got := r.texts(r.open("", "new")); got != "0 1" {
		t.Errorf("%q", got)
	}
	text, err := os.ReadFile(filepath.Join(r.state.QueueDir("old"), DeadLettersName))
	if err != nil || !strings.Contains(string(text), `"reason":"why","sessions":3`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestLines(t *testing.T) {
	for _, m := range []mqttlink.Message{
		{Topic: "a/b", Payload: []byte(`{"x": "ä"}`), QoS: 1, Retain: true, Alarm: true},
		{Topic: "a", Payload: []byte{}},
		{Topic: "a", Payload: []byte{0xff, 0, 1}},
	} {
		r := outbox.Record{Seq: 7, Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, Time: time.UnixMilli(1581417910123)}
		if m.Alarm {
			r.Class = outbox.Alarm
		}
		line := FromRecord(&r).String()
		got, err := ParseLine([]byte(line))
		if err != nil || strings.Contains(line, "\n") {
			t.Fatalf("%s: %v", line, err)
		}
		if got.Topic != m.Topic || !bytes.Equal(got.Payload, m.Payload) || got.QoS != m.QoS || got.Retain != m.Retain || got.Alarm != m.Alarm || !got.Time.Equal(r.Time) {
			t.Errorf("%+v became %+v", m, got)
		}
	}
	for text, want := range map[string]string{
		`hello`:                      "not a line of an export",
		`{}`:                         "it is empty",
		`{"topic": "a/#"}`:           "wildcard",
		`{"topic": "a", "qos": 2}`:   "QoS 0 and 1",
		`{"topic": "a", "qos": "1"}`: `"qos" is a JSON string`,
		`{"topic":"a","payload":"","payload_base64":"YQ=="}`: "both",
		`{"topic":"a","time":"yesterday"}`:                   "is not of the form",
	} {
		if _, err := ParseLine([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"topic":"a","payload":"x","qos":1,"retain":true}`))
	f.Add([]byte(`{"topic":"a","payload_base64":"/w=="}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseLine(text)
		if err == nil && (topic.Check(m.Topic) != nil || m.QoS > 1) {
			t.Errorf("%+v passed", m)
		}
	})
}
