package engine

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"pithings/quietlog"
)

// Stats is what an engine has done so far.
type Stats struct {
	Connected int           // now
	Away      int           // now, by their own wish
	Everyone  time.Duration // since the start, when all devices were connected for the first time; 0: not yet

	Attempts uint64 // connections that were begun
	Resumed  uint64 // TLS handshakes that resumed a session
	Sessions uint64 // logins that the broker accepted
	Lost     uint64 // sessions that ended by themselves
	Refused  uint64 // filters that the broker refused

	Published uint64 // messages given to the network
	Acked     uint64 // of those with QoS 1
	Unacked   uint64 // of those with QoS 1 whose session ended first; they are not sent again
	Dropped   uint64 // messages not sent: no session, a full window, or a network that does not take them
	Received  uint64 // messages
	TooLarge  uint64 // of those, above MaxInbound

	BytesOut, BytesIn uint64 // of MQTT packets

	Latency Latency           // from Publish to PUBACK
	Errors  map[string]uint64 // why connections failed and sessions were lost

	atEnd int // sessions of which the end has been begun
}

// maxReasons bounds Errors: their texts come from outside.
const maxReasons = 24

// otherReasons counts what has no room of its own.
const otherReasons = "other reasons"

func (s *Stats) failed(why string) {
	if s.Errors == nil {
		s.Errors = map[string]uint64{}
	}
	why = quietlog.Short(why)
	if _, known := s.Errors[why]; !known && len(s.Errors) >= maxReasons {
		why = otherReasons
	}
	s.Errors[why]++
}

// add adds the numbers of another shard.
func (s *Stats) add(o *Stats) {
	s.Connected += o.Connected + o.atEnd
	s.Away += o.Away
	s.Attempts += o.Attempts
	s.Resumed += o.Resumed
	s.Sessions += o.Sessions
	s.Lost += o.Lost
	s.Refused += o.Refused
	s.Published += o.Published
	s.Acked += o.Acked
	s.Unacked += o.Unacked
	s.Dropped += o.Dropped
	s.Received += o.Received
	s.TooLarge += o.TooLarge
	s.BytesOut += o.BytesOut
	s.BytesIn += o.BytesIn
	for i, n := range o.Latency.counts {
		s.Latency.counts[i] += n
	}
	s.Latency.n += o.Latency.n
	s.Latency.most = max(s.Latency.most, o.Latency.most)
	for why, n := range o.Errors {
		if s.Errors == nil {
			s.Errors = maps.Clone(o.Errors)
			break
		}
		s.Errors[why] += n
	}
}

// Latency is a histogram of times. Its steps are an eighth of a power of two of microseconds,
// so a percentile is at most 12.5 % above what it was.
type Latency struct {
	counts [latencySteps]uint64
	n      uint64
	most   time.Duration
}

const (
	latencyBits  = 3
	latencySteps = 28 << latencyBits // up to 2^30 µs: 18 minutes
)

// note adds a time.
func (l *Latency) note(d time.Duration) {
	l.counts[latencyStep(d)]++
	l.n++
	l.most = max(l.most, d)
}

func latencyStep(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 1<<latencyBits {
		return int(us)
	}
	shift := bits.Len64(us) - 1 - latencyBits
	return min((shift<<latencyBits)+int(us>>shift), latencySteps-1)
}

// latencyTop is the longest time of a step.
func latencyTop(i int) time.Duration {
	if i < 1<<latencyBits {
		return time.Duration(i+1) * time.Microsecond
	}
	shift := i>>latencyBits - 1
	return time.Duration(i-(shift<<latencyBits)+1) << shift * time.Microsecond
}

// Percentile returns the time within which so many hundredths of all were; 0 if there are none.
func (l *Latency) Percentile(p float64) time.Duration {
	left := uint64(p / 100 * float64(l.n))
	for i, n := range l.counts {
		if n > left {
			return min(latencyTop(i), l.most)
		}
		left -= n
	}
	return l.most
}

// Max returns the longest time.
func (l *Latency) Max() time.Duration { return l.most }

// Count returns how many times there are.
func (l *Latency) Count() uint64 { return l.n }

// Since returns the times that came after an earlier state of the same histogram. Its longest is at
// most 12.5 % above what it was.
func (l *Latency) Since(before *Latency) Latency {
	d := Latency{n: l.n - before.n}
	for i := range l.counts {
		if d.counts[i] = l.counts[i] - before.counts[i]; d.counts[i] > 0 {
			d.most = min(latencyTop(i), l.most)
		}
	}
	return d
}

// Latencies are times in milliseconds.
type Latencies struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Milliseconds sums the times up.
func (l *Latency) Milliseconds() Latencies {
	of := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Latencies{of(l.Percentile(50)), of(l.Percentile(90)), of(l.Percentile(99)), of(l.Percentile(99.9)), of(l.Max())}
}

// MostFirst sorts reasons by how often they were.
func MostFirst(errs map[string]uint64) []string {
	return slices.SortedFunc(maps.Keys(errs), func(a, b string) int {
		return cmp.Or(cmp.Compare(errs[b], errs[a]), strings.Compare(a, b))
	})
}
