package agent

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/mqttlink"
)

// metrics answers with the agent's counts in Prometheus' text format 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats). It is written by hand: the
// library would be a tenth of the binary for what is a page of code.
type metrics struct{ a *Agent }

// ServeHTTP implements http.Handler.
func (m metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(m.page(time.Now()))
}

// page is a moment's metrics.
func (m metrics) page(now time.Time) []byte {
	var p page
	p.family("pithings_build_info", "gauge", "The version that runs; always 1.")
	p.sample(1, "version", m.a.o.Version)
	p.family("pithings_clock_known", "gauge", "Whether this machine's clock is known to be right.")
	p.sample(yes(m.a.clock.Known()))

	things := m.a.health.Things()
	p.family("pithings_device_up", "gauge", "Whether a thing's part works.")
	for _, name := range slices.Sorted(maps.Keys(things)) {
		p.sample(yes(things[name].State == "up"), "thing", name)
	}
	type link struct {
		name string
		mqttlink.Stats
	}
	var links []link
	m.a.links.all(func(name string, l *mqttlink.Link) {
		if name == "" {
			name = "shared"
		}
		links = append(links, link{name, l.Stats()})
	})
	for _, f := range []struct {
		name, kind, help string
		value            func(*link) (float64, bool)
	}{
		{"mqtt_connected", "gauge", "Whether the connection to the broker stands.", func(l *link) (float64, bool) { return yes(l.State == mqttlink.Online), true }},
		{"mqtt_connects_total", "counter", "Sessions established.", count(func(l *link) uint64 { return l.Connects })},
		{"mqtt_connect_attempts_total", "counter", "Connections attempted.", count(func(l *link) uint64 { return l.Attempts })},
		{"mqtt_received_total", "counter", "Messages from the broker.", count(func(l *link) uint64 { return l.Received })},
		{"mqtt_receive_dropped_total", "counter", "Messages from the broker that were too large, or that gave way because a handler was slow.", count(func(l *link) uint64 { return l.Missed + l.TooLarge })},
		{"mqtt_resent_total", "counter", "Messages sent once more after a loss.", count(func(l *link) uint64 { return l.Resent })},
		{"mqtt_throttled_total", "counter", "Messages that waited so as to keep the broker's rate.", count(func(l *link) uint64 { return l.Throttled })},
		{"publish_accepted_total", "counter", "Messages put into the queue.", count(func(l *link) uint64 { return l.Accepted })},
		{"publish_acks_total", "counter", "Messages delivered.", count(func(l *link) uint64 { return l.Acked })},
		{"queue_messages", "gauge", "Messages that wait for the connection.", func(l *link) (float64, bool) { return float64(l.Outbox.Messages), true }},
		{"queue_bytes", "gauge", "Their topics and payloads.", func(l *link) (float64, bool) { return float64(l.Outbox.Bytes), true }},
		{"queue_alarms", "gauge", "Those of them that are alarms.", func(l *link) (float64, bool) { return float64(l.Outbox.Alarms), true }},
		{"queue_oldest_age_seconds", "gauge", "Age of the first one, if it is known.", func(l *link) (float64, bool) {
			return max(0, now.Sub(l.Outbox.Oldest).Seconds()), !l.Outbox.Oldest.IsZero()
		}},
		{"queue_memory_messages", "gauge", "Those that are in memory only, because the disk cannot be written.", func(l *link) (float64, bool) { return float64(l.Outbox.Held), true }},
		{"queue_disk_failed", "gauge", "Whether the disk of the queue cannot be written.", func(l *link) (float64, bool) { return yes(l.Outbox.Err != nil), true }},
		{"queue_undated_messages", "gauge", "Those that wait for the clock.", func(l *link) (float64, bool) { return float64(l.Waiting), true }},
		{"queue_damaged_total", "counter", "Messages that could not be read back.", count(func(l *link) uint64 { return l.Outbox.Damaged })},
	} {
		p.family("pithings_"+f.name, f.kind, f.help)
		for i := range links {
			if v, ok := f.value(&links[i]); ok {
				p.sample(v, "connection", links[i].name)
			}
		}
	}
	p.family("pithings_queue_dropped_total", "counter", "Messages that were given up: limit: of the queue, by number, bytes or age; life: of the message; poison: the broker hangs up upon them; full: not taken, as the queue was full or off.")
	for _, l := range links {
		for _, r := range []struct {
			reason string
			n      uint64
		}{{"limit", l.Dropped - min(l.Dropped, l.Full)}, {"life", l.Expired}, {"poison", l.Aside}, {"full", l.Refused}} {
			p.sample(float64(r.n), "connection", l.name, "reason", r.reason)
		}
	}
	m.flows(&p)
	return p.Bytes()
}

func count[T any](f func(T) uint64) func(T) (float64, bool) {
	return func(v T) (float64, bool) { return float64(f(v)), true }
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// page is text in the format.
type page struct {
	bytes.Buffer
	name string
}

func (p *page) family(name, kind, help string) {
	p.name = name
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (p *page) sample(v float64, labels ...string) {
	p.WriteString(p.name)
	for i := 0; i < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		p.WriteByte(sep)
		p.WriteString(labels[i] + `="` + labelEscapes.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		p.WriteByte('}')
	}
	p.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}
