package agent

import (
	"fmt"
	"time"

	"pithings/api"
	"pithings/mqttlink"
	"pithings/quietlog"
)

// Health implements HealthReporter.
func (l *links) Health(add func(key string, value any)) {
	add("connections", l.states())
	add("queues", l.queueStates())
}

// states has the state of each connection, by name.
func (l *links) states() map[string]string {
	m := map[string]string{}
	l.all(func(name string, link *mqttlink.Link) {
		if name == "" {
			name = "shared"
		}
		m[name] = link.State().String()
	})
	return m
}

// missing has a line for each connection that does not stand: to which broker it goes, why it
// does not, and how much waits for it.
func (l *links) missing() (all []string) {
	l.all(func(name string, link *mqttlink.Link) {
		s := link.Stats()
		if s.State == mqttlink.Online {
			return
		}
		line := link.Endpoint().String()
		if name != "" {
			line += " (thing " + name + ")"
		}
		if n := s.Outbox.Messages; n > 0 {
			line += fmt.Sprintf(", %d messages wait", n)
		}
		if s.LastError != "" {
			line += ": " + quietlog.Clip(s.LastError, 120)
		}
		all = append(all, line)
	})
	return all
}

// QueueState is what waits for a connection.
type QueueState struct {
	Messages int        `json:"messages"`
	Bytes    int64      `json:"bytes"`
	Oldest   *time.Time `json:"oldest,omitempty"`
	Dropped  uint64     `json:"dropped"`                     // because of a limit, since the start
	Aside    uint64     `json:"set_aside,omitempty"`         // because the broker closes the connection upon them
	Waiting  int        `json:"waiting_for_clock,omitempty"` // of Messages: until the clock is known
	Held     int        `json:"held,omitempty"`              // of Messages: in memory only, because
	Error    string     `json:"error,omitempty"`             // the disk cannot be written
	Damaged  uint64     `json:"damaged,omitempty"`           // could not be read back
	Refused  string     `json:"connection_error,omitempty"`
}

// queueStates has what waits for each connection, by name.
func (l *links) queueStates() map[string]QueueState {
	m := map[string]QueueState{}
	l.all(func(name string, link *mqttlink.Link) {
		if name == "" {
			name = "shared"
		}
		s := link.Stats()
		b := s.Outbox
		q := QueueState{Messages: b.Messages, Bytes: b.Bytes, Dropped: b.Dropped, Aside: s.DeadLetters, Waiting: s.Waiting, Held: b.Unsaved, Damaged: b.Damaged, Refused: s.LastError}
		if !b.Oldest.IsZero() {
			t := b.Oldest.UTC()
			q.Oldest = &t
		}
		if b.Err != nil {
			q.Error = b.Err.Error()
		}
		m[name] = q
	})
	return m
}

// Collect implements Collector.
func (l *links) Collect(m *api.Metrics) {
	now := time.Now()
	type link struct {
		name string
		mqttlink.Stats
	}
	var links []link
	l.all(func(name string, one *mqttlink.Link) {
		if name == "" {
			name = "shared"
		}
		links = append(links, link{name, one.Stats()})
	})
	for _, f := range []struct {
		name, kind, help string
		value            func(*link) (float64, bool)
	}{
		{"mqtt_connected", "gauge", "Whether the connection to the broker stands.", func(l *link) (float64, bool) { return api.Bool(l.State == mqttlink.Online), true }},
		{"mqtt_connects_total", "counter", "Sessions with the broker that were established.", count(func(l *link) uint64 { return l.Connects })},
		{"mqtt_connect_attempts_total", "counter", "Connections to the broker that were attempted.", count(func(l *link) uint64 { return l.Attempts })},
		{"mqtt_received_total", "counter", "Messages received from the broker.", count(func(l *link) uint64 { return l.Received })},
		{"mqtt_receive_dropped_total", "counter", "Messages from the broker that were too large, or that gave way because a handler was slow.", count(func(l *link) uint64 { return l.Missed + l.TooLarge })},
		{"mqtt_resent_total", "counter", "Messages that were sent to the broker once more after a lost connection.", count(func(l *link) uint64 { return l.Resent })},
		{"mqtt_throttled_total", "counter", "Messages that waited before they were sent, so as to keep the rate that the broker takes.", count(func(l *link) uint64 { return l.Throttled })},
		{"publish_accepted_total", "counter", "Messages that were put into the queue of a connection.", count(func(l *link) uint64 { return l.Accepted })},
		{"publish_acks_total", "counter", "Messages of a queue that the broker acknowledged.", count(func(l *link) uint64 { return l.Acked })},
		{"queue_messages", "gauge", "Messages in the queue of a connection, which wait for the broker.", func(l *link) (float64, bool) { return float64(l.Outbox.Messages), true }},
		{"queue_bytes", "gauge", "Bytes of topics and payloads of the messages in the queue of a connection.", func(l *link) (float64, bool) { return float64(l.Outbox.Bytes), true }},
		{"queue_alarms", "gauge", "Messages in the queue of a connection that are alarms.", func(l *link) (float64, bool) { return float64(l.Outbox.Alarms), true }},
		{"queue_oldest_age_seconds", "gauge", "Age of the oldest message in the queue of a connection, if it is known.", func(l *link) (float64, bool) {
			return max(0, now.Sub(l.Outbox.Oldest).Seconds()), !l.Outbox.Oldest.IsZero()
		}},
		{"queue_memory_messages", "gauge", "Messages in the queue of a connection that are in memory only, because the disk cannot be written.", func(l *link) (float64, bool) { return float64(l.Outbox.Unsaved), true }},
		{"queue_disk_failed", "gauge", "Whether the disk of the queue of a connection cannot be written.", func(l *link) (float64, bool) { return api.Bool(l.Outbox.Err != nil), true }},
		{"queue_undated_messages", "gauge", "Messages that wait for the clock to be known, because their time is not.", func(l *link) (float64, bool) { return float64(l.Waiting), true }},
		{"queue_damaged_total", "counter", "Messages of a queue that could not be read back from the disk.", count(func(l *link) uint64 { return l.Outbox.Damaged })},
	} {
		m.Family("pithings_"+f.name, f.kind, f.help)
		for i := range links {
			if v, ok := f.value(&links[i]); ok {
				m.Sample(v, "connection", links[i].name)
			}
		}
	}
	m.Family("pithings_queue_dropped_total", "counter", "Messages that a queue dropped, by reason. limit: number, bytes or age of the queue; life: expiry of the message; poison: the broker closes the connection on them; full: refused because the queue was full or off.")
	for _, l := range links {
		for _, r := range []struct {
			reason string
			n      uint64
		}{{"limit", l.Dropped - min(l.Dropped, l.Full)}, {"life", l.Expired}, {"poison", l.DeadLetters}, {"full", l.Refused}} {
			m.Sample(float64(r.n), "connection", l.name, "reason", r.reason)
		}
	}
}

func count[T any](f func(T) uint64) func(T) (float64, bool) {
	return func(v T) (float64, bool) { return float64(f(v)), true }
}
