package defender

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"pithings/api"
	"pithings/device"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
	"pithings/quietlog"
)

// Options are what a Service works with.
type Options struct {
	Settings Settings
	Thing    string // the name at AWS IoT, which is the client id
	Link     mqttlink.Client
	Dir      string // folder for the id of the last report; "": none is kept
	// Root is the root folder whose proc/net is read. Nil: that of this machine.
	Root fs.FS
	// Interfaces returns the name of the interface of each address of this machine. Nil: by
	// the system.
	Interfaces func() (map[netip.Addr]string, error)
	// Value returns the last value of a quantity of a thing; ok is false if there is none.
	// Nil: there are no custom metrics.
	Value func(thing, quantity string) (value float64, q device.Quantity, ok bool)
	Clock *clock.Clock // nil: this machine's clock is right
	Log   *slog.Logger
}

// Service reports for as long as the agent runs.
type Service struct {
	o     Options
	quiet *quietlog.Repeats

	mu     sync.Mutex
	counts counts
	last   int64 // id of the last report
	reason string
}

// counts are since the process began.
type counts struct{ sent, unsent, accepted, rejected int }

// New returns a service; Run runs it.
func New(o Options) *Service {
	if o.Root == nil {
		o.Root = os.DirFS("/")
	}
	if o.Interfaces == nil {
		o.Interfaces = interfaces
	}
	return &Service{o: o, quiet: quietlog.NewRepeats(o.Log)}
}

// interfaces are those of this machine.
func interfaces() (map[netip.Addr]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	found := map[netip.Addr]string{}
	for _, i := range all {
		addresses, err := i.Addrs()
		if err != nil {
			continue // it has gone meanwhile
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				found[p.Addr().Unmap()] = i.Name
			}
		}
	}
	return found, nil
}

// Name is the service's name.
func (s *Service) Name() string { return "defender" }

// Topic is where a thing's reports go.
func Topic(thing, format string) string {
	return "$aws/things/" + thing + "/defender/metrics/" + format
}

// margin is beside the interval: one report may take longer to AWS than the next, which would
// come too soon there.
const margin = 2 * time.Second

// Run reports until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	if !s.o.Settings.Enabled {
		return nil
	}
	ids := &ids{dir: s.o.Dir, clock: s.o.Clock}
	if err := ids.open(); err != nil {
		return fmt.Errorf("id of the last report: %w", err)
	}
	before, err := readTraffic(s.o.Root)
	if err != nil {
		return fmt.Errorf("this system does not show its network: %w", err)
	}
	topic := Topic(s.o.Thing, s.o.Settings.Format)
	cancel, err := s.o.Link.SubscribeAll([]string{topic + "/accepted", topic + "/rejected"}, 1, func(_ context.Context, m mqttlink.Message) { s.reply(m) })
	if err != nil {
		return err
	}
	defer cancel()
	tick := time.NewTicker(s.o.Settings.Interval.Duration + margin)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		now, err := s.send(ctx, topic, ids, before)
		if err == nil {
			before = now
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		s.mu.Lock()
		s.counts.unsent++
		s.mu.Unlock()
		s.quiet.Say(slog.LevelWarn, "unsent", "no Defender report sent; the next one covers its time, too", "err", err)
	}
}

// send sends one report, and returns the counters that it covers.
func (s *Service) send(ctx context.Context, topic string, ids *ids, before map[string]counters) (map[string]counters, error) {
	r, now, err := s.sample(before)
	if err != nil {
		return nil, err
	}
	id, err := ids.next()
	if err != nil {
		s.quiet.Say(slog.LevelError, "id", "id of a Defender report cannot be kept; after a restart reports are refused while the clock is behind it", "err", err)
	}
	r.id = id
	payload, err := r.encode(s.o.Settings.Format, s.o.Settings.Names)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.last = id // the reply may be there before Publish returns
	s.mu.Unlock()
	if err := s.o.Link.Publish(ctx, mqttlink.Message{Topic: topic, Payload: payload, Unqueued: true}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.counts.sent++
	s.mu.Unlock()
	return now, nil
}

// sample reads what is reported.
func (s *Service) sample(before map[string]counters) (*report, map[string]counters, error) {
	names, err := s.o.Interfaces()
	if err != nil {
		return nil, nil, err
	}
	n, err := readNetwork(s.o.Root, names)
	if err != nil {
		return nil, nil, err
	}
	now, err := readTraffic(s.o.Root)
	if err != nil {
		return nil, nil, err
	}
	r := &report{network: n, traffic: since(before, now)}
	for _, c := range s.o.Settings.Custom[:min(len(s.o.Settings.Custom), maxCustom)] {
		if s.o.Value == nil {
			break
		}
		if v, q, ok := s.o.Value(c.Thing, c.Quantity); ok {
			r.custom = append(r.custom, Value{c.Metric, v, q})
		}
	}
	return r, now, nil
}

// reply reads what AWS says of a report.
func (s *Service) reply(m mqttlink.Message) {
	r, err := parseReply(m.Topic, m.Payload)
	if err != nil {
		s.quiet.Say(slog.LevelWarn, "reply", "answer to a Defender report cannot be read", "topic", m.Topic, "err", err)
		return
	}
	s.mu.Lock()
	if r.accepted {
		s.counts.accepted++
		s.reason = ""
	} else {
		s.counts.rejected++
		s.reason = r.reason
	}
	last := s.last
	s.mu.Unlock()
	switch {
	case !r.accepted:
		s.quiet.Say(slog.LevelWarn, "rejected "+r.reason, "Defender report refused by AWS", "report", r.id, "reason", r.reason)
	case r.id != last:
		s.quiet.Say(slog.LevelWarn, "other", "AWS has accepted a Defender report that is not the last one of this process: another device may use the thing's name", "report", r.id, "last", last)
	}
}

// Health adds how many reports there were.
func (s *Service) Health(add func(key string, value any)) {
	if !s.o.Settings.Enabled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := map[string]any{"sent": s.counts.sent, "unsent": s.counts.unsent, "accepted": s.counts.accepted, "rejected": s.counts.rejected}
	if s.reason != "" {
		shown["reason"] = s.reason
	}
	add("defender", shown)
}

// Collect adds the metrics.
func (s *Service) Collect(m *api.Metrics) {
	if !s.o.Settings.Enabled {
		return
	}
	s.mu.Lock()
	c := s.counts
	s.mu.Unlock()
	m.Family("pithings_defender_reports_total", "counter", "Reports to AWS IoT Device Defender, by what became of them.")
	for _, outcome := range []struct {
		name string
		n    int
	}{{"sent", c.sent}, {"unsent", c.unsent}, {"accepted", c.accepted}, {"rejected", c.rejected}} {
		m.Sample(float64(outcome.n), "outcome", outcome.name)
	}
}
