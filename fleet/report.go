package fleet

import (
	"fmt"
	"strings"
	"time"

	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/rehearsal"
)

// Report is what a fleet has done, for programs.
type Report struct {
	Endpoint string   `json:"endpoint"`
	Devices  int      `json:"devices"`
	Places   int      `json:"places,omitempty"` // of a factory, whose devices are those that there are now
	Types    []string `json:"types"`
	Seed     uint64   `json:"seed"`
	Seconds  float64  `json:"seconds"`

	Connected        int     `json:"connected"`        // at the end of the time, or now
	ConnectedSeconds float64 `json:"connectedSeconds"` // until all were connected for the first time; 0: they never were
	Attempts         uint64  `json:"attempts"`         // connections begun
	Resumed          uint64  `json:"resumed"`          // TLS sessions resumed
	Sessions         uint64  `json:"sessions"`         // logins accepted
	Lost             uint64  `json:"lost"`             // sessions that ended by themselves
	Refused          uint64  `json:"refusedSubscriptions"`

	Published uint64  `json:"published"`
	Acked     uint64  `json:"acked"`   // of those with QoS 1
	Unacked   uint64  `json:"unacked"` // of those with QoS 1, whose session ended first
	Dropped   uint64  `json:"dropped"` // not sent: the network or the broker was behind
	Received  uint64  `json:"received"`
	TooLarge  uint64  `json:"tooLarge"`
	BytesOut  uint64  `json:"bytesOut"`
	BytesIn   uint64  `json:"bytesIn"`
	Rate      float64 `json:"messagesPerSecond"` // published

	Puback Latencies         `json:"pubackMilliseconds"`
	Errors map[string]uint64 `json:"errors"`

	Pis      *PiReport         `json:"pis,omitempty"` // of devices of the type pi
	Scenario *rehearsal.Report `json:"scenario,omitempty"`
	Rogues   int               `json:"rogueDevices,omitempty"` // of Devices
	Rogue    []RogueResult     `json:"rogue,omitempty"`        // what the broker let them do
}

// Latencies are times from a publish to its PUBACK, in milliseconds.
type Latencies = engine.Latencies

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Report returns what has been done so far.
func (f *Fleet) Report() Report {
	s := f.engine.Stats()
	seconds := f.ran().Seconds()
	errs := s.Errors
	if errs == nil {
		errs = map[string]uint64{}
	}
	places := 0
	if f.places != nil {
		places = f.Devices
	}
	var script *rehearsal.Report
	if f.rehearsal != nil {
		script = f.rehearsal.Report(f.engine)
	}
	return Report{
		Scenario: script,
		Endpoint: f.endpoint.String(), Devices: f.present(), Places: places, Types: f.Types, Seed: f.Seed, Seconds: seconds,
		Connected: s.Connected, ConnectedSeconds: s.Everyone.Seconds(), Attempts: s.Attempts, Resumed: s.Resumed, Sessions: s.Sessions, Lost: s.Lost, Refused: s.Refused,
		Published: s.Published, Acked: s.Acked, Unacked: s.Unacked, Dropped: s.Dropped, Received: s.Received, TooLarge: s.TooLarge,
		BytesOut: s.BytesOut, BytesIn: s.BytesIn, Rate: float64(s.Published) / max(seconds, 0.001),
		Puback: s.Latency.Milliseconds(), Errors: errs, Pis: f.pis.report(), Rogues: f.plan.rogues(), Rogue: f.rogues.results(),
	}
}

// present is how many devices there are.
func (f *Fleet) present() int {
	if f.places != nil {
		return len(f.places.taken())
	}
	return f.Devices
}

// String is the report for people.
func (r *Report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("time", "%v, seed %d", time.Duration(r.Seconds*float64(time.Second)).Round(100*time.Millisecond), r.Seed)
	rogueLines(&b, r.Rogue)
	devices := r.Devices - r.Rogues
	switch {
	case r.Places > 0:
		line("connected", "%d of %d that were made and not deleted", r.Connected, devices)
	case devices == 0:
		return b.String()
	case r.ConnectedSeconds > 0 && r.Scenario != nil: // in its first phase there may be fewer
		line("connected", "all that were to be after %.1f s, %d at the end", r.ConnectedSeconds, r.Connected)
	case r.ConnectedSeconds > 0:
		line("connected", "all %d after %.1f s", devices, r.ConnectedSeconds)
	default:
		line("connected", "never all %d at a time", devices)
	}
	line("sessions", "%d accepted of %d attempts, %d lost", r.Sessions, r.Attempts, r.Lost)
	line("published", "%d (%.5g/s), %d acknowledged, %d not, %d dropped", r.Published, r.Rate, r.Acked, r.Unacked, r.Dropped)
	line("received", "%d", r.Received)
	if r.Acked > 0 {
		line("PUBACK after", "p50 %.3g ms, p90 %.3g ms, p99 %.3g ms, at most %.3g ms", r.Puback.P50, r.Puback.P90, r.Puback.P99, r.Puback.Max)
	}
	r.Pis.lines(line)
	if r.Refused > 0 {
		line("refused", "%d subscriptions", r.Refused)
	}
	for _, why := range engine.MostFirst(r.Errors) {
		line("error", "%d × %s", r.Errors[why], why)
	}
	if r.Scenario != nil {
		b.WriteString(r.Scenario.String())
	}
	return b.String()
}

// LetThrough counts the behaviours of rogue devices that the broker let through, with the severity
// low or a higher one, and how many of all were tested.
func (r *Report) LetThrough() (low, more, tested int) { return letThrough(r.Rogue) }

// Meter shows how a fleet is doing, from one call to the next.
type Meter struct {
	f      *Fleet
	before engine.Stats
	at     time.Time
}

// Meter returns a meter.
func (f *Fleet) Meter() *Meter { return &Meter{f: f, at: time.Now()} }

// Line is how the fleet is doing, with the messages and times since the last call.
func (m *Meter) Line() string {
	s, now := m.f.engine.Stats(), time.Now()
	recent := s.Latency.Since(&m.before.Latency)
	rate := float64(s.Published-m.before.Published) / max(now.Sub(m.at).Seconds(), 0.001)
	errs := uint64(0)
	for _, n := range s.Errors {
		errs += n
	}
	rogues := m.f.rogues.line()
	if m.f.plan.rogues() == m.f.Devices {
		return rogues
	}
	line := ""
	if m.f.rehearsal != nil {
		line = m.f.rehearsal.Now(m.f.engine)
	}
	line += fmt.Sprintf("%d of %d connected, %.0f messages/s", s.Connected, m.f.present()-m.f.plan.rogues(), rate)
	if recent.Count() > 0 {
		line += fmt.Sprintf(", PUBACK p50 %.3g ms p99 %.3g ms", milliseconds(recent.Percentile(50)), milliseconds(recent.Percentile(99)))
	}
	if errs > 0 {
		line += fmt.Sprintf(", %d errors", errs)
	}
	m.before, m.at = s, now
	if rogues != "" {
		line += ", " + rogues
	}
	return line
}
