package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/awsiot"
	"pithings/display"
	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/pi"
	"pithings/fleet/internal/pictures"
)

// Where the flows of Pis run.
const (
	FlowsElsewhere = ""      // on no Pi: an engine at the broker may run them
	FlowsLocal     = "local" // each Pi runs SecurityFlow itself
)

// Limits of Pis.
const (
	// MaxFlows is how many Pis run their flows. What a flow costs is in docs/fleet.md; a house with
	// more Pis has engines of its own.
	MaxFlows = 1000
	// MinMotion is the shortest average time between two motions.
	MinMotion = time.Second
	MaxMotion = 24 * time.Hour
)

// checkPis returns what is wrong with the options of Pis.
func (p *plan) checkPis() error {
	n := p.of(func(k kind) bool { return k.pi })
	switch {
	case n == 0 && (p.Flows != FlowsElsewhere || p.Pictures != ""):
		return fmt.Errorf("flows and pictures are of devices of the type %s: add it to the types", typePi)
	case n == 0:
		return nil
	case p.Motion != 0 && (p.Motion < MinMotion || p.Motion > MaxMotion):
		return fmt.Errorf("a motion every %v: give %v to %v, or 0 for none", p.Motion, MinMotion, MaxMotion)
	case p.Flows != FlowsElsewhere && p.Flows != FlowsLocal:
		return fmt.Errorf("flows %q: give %s, or nothing", p.Flows, FlowsLocal)
	case p.Flows == FlowsLocal && n > MaxFlows:
		return fmt.Errorf("%d devices of the type %s with flows: at most %d run theirs in one process; leave the flows to engines at the broker", n, typePi, MaxFlows)
	}
	if p.Pictures == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(p.Pictures)
	if err == nil && host != "" {
		_, err = netip.ParseAddr(host)
	}
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("pictures at %q: give IP:PORT, such as 0.0.0.0:8090: %w", p.Pictures, err)
	}
	return nil
}

// motions is how many messages motion brings in a second: with flows three more for each.
func (p *plan) motions() float64 {
	if p.Motion <= 0 {
		return 0
	}
	each := 1
	if p.Flows == FlowsLocal {
		each += 3 // capture, finished and display
	}
	return float64(each*p.of(func(k kind) bool { return k.pi })) / pi.Between(p.Motion).Seconds()
}

// pis is what the Pis of a fleet have in common.
type pis struct {
	settings pi.Settings
	all      []*pi.Device // nil for other devices
	album    *pictures.Album
	screen   *display.Screen // with an agent's rules of addresses; it shows nothing
	address  string          // to listen on
	seen     string          // this machine, as the broker sees it

	mu     sync.Mutex
	server *pictures.Server // nil before the fleet runs
	flows  *pi.Flows        // nil: they run elsewhere, or not yet
}

// newPis makes what Pis have in common; nil: there are none. seen is this machine as the broker sees it.
func newPis(p *plan, seen string, started time.Time) *pis {
	if p.of(func(k kind) bool { return k.pi }) == 0 {
		return nil
	}
	s := &pis{all: make([]*pi.Device, p.Devices), album: pictures.New(p.Seed, p.Devices, p.name), address: p.Pictures, seen: seen}
	if s.address == "" {
		s.address = net.JoinHostPort(s.seen, "0")
	}
	_, _, aws := awsiot.Limits(p.Broker.Endpoint)
	s.settings = pi.Settings{
		Interval: p.Interval, Motion: p.Motion, KeepAlive: p.Broker.KeepAlive, Started: started,
		Status: !aws, // whose policies do not know the topic
		Flows:  p.Flows == FlowsLocal,
		URI:    func(device int, number uint32) string { return s.at().URI(device, number) },
		Vet:    s.vet,
	}
	o := display.DefaultOpts()
	o.Fetch.Own = pictures.Own
	s.screen = display.New(nil, "", o, slog.New(slog.DiscardHandler))
	return s
}

// plan says what a Pi does.
func (s *pis) plan() string {
	if s == nil {
		return ""
	}
	motion, flow := "", "no flow"
	if s.settings.Motion > 0 {
		motion = fmt.Sprintf(", and motion every %v on average", pi.Between(s.settings.Motion))
	}
	if s.settings.Flows {
		flow = "SecurityFlow"
	}
	return fmt.Sprintf("a pi publishes %d messages for each reading every %v%s; it runs %s\n", readingMessages, s.settings.Interval, motion, flow)
}

// client makes a Pi.
func (s *pis) client(i int, name string, seed uint64) engine.Client {
	d := pi.New(&s.settings, pi.Device{Name: name, Index: i, Seed: seed})
	s.all[i] = d
	return d
}

// deploy has each Pi run its flow; nil: they run elsewhere.
func (s *pis) deploy(e *engine.Engine) (*pi.Flows, error) {
	if !s.settings.Flows {
		return nil, nil
	}
	flows := pi.NewFlows()
	for i, d := range s.all {
		if d == nil {
			continue
		}
		if err := flows.Add(d.Line(func(f func(time.Duration, engine.Out)) { e.Do(i, f) })); err != nil {
			return nil, errors.Join(err, flows.Close())
		}
	}
	return flows, nil
}

// at returns the server of the pictures.
func (s *pis) at() *pictures.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// run runs the devices, and meanwhile serves the pictures of Pis and runs their flows.
func (s *pis) run(ctx context.Context, e *engine.Engine, run func(context.Context) error) error {
	server, err := s.album.Listen(s.address, s.seen)
	if err != nil {
		return fmt.Errorf("pictures: %w; give another address", err)
	}
	flows, err := s.deploy(e)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	s.mu.Lock()
	s.server, s.flows = server, flows
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	inner, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var working sync.WaitGroup
	var served, closed error
	working.Go(func() {
		<-ctx.Done()
		if flows != nil { // before the Pis end: a step that they cannot send any more would have failed
			closed = flows.Close()
		}
		end()
	})
	working.Go(func() {
		served = server.Run(inner)
		cancel() // without pictures the fleet is not what it is to be
	})
	err = run(inner)
	cancel()
	working.Wait()
	return errors.Join(err, served, closed)
}

// vet returns why a picture is not shown, in few words; "": it is. What is not of this fleet is not
// fetched: a thousand screens would be a thousand downloads from wherever a command says.
func (s *pis) vet(uri string) string {
	if err := s.screen.Vet(uri); err != nil {
		return vetoed(err)
	}
	if scheme, _, _ := strings.Cut(uri, ":"); strings.EqualFold(scheme, "file") {
		return "a screen reads files only below its allow_files, and has none"
	}
	if ours, there := s.at().Has(uri); ours && !there {
		return "there is no such picture of this fleet"
	}
	return ""
}

// vetoed is why a screen refuses an address, without the address.
func vetoed(err error) string {
	switch {
	case errors.Is(err, display.ErrRefused):
		return "a screen fetches nothing from that address"
	case errors.Is(err, display.ErrTooLarge):
		return "the address is too long"
	}
	return "the address is no picture's"
}

// PiReport is what Pis have done.
type PiReport struct {
	Pictures string            `json:"pictures"` // where they are served
	Motions  uint64            `json:"motions"`
	Readings uint64            `json:"readings"`
	Captures uint64            `json:"captures"` // pictures taken
	Finished uint64            `json:"finished"` // and announced
	Shown    uint64            `json:"shown"`    // on screens
	Cleared  uint64            `json:"cleared"`
	NotShown map[string]uint64 `json:"notShown"` // why, with how often
	Flows    *FlowReport       `json:"flows,omitempty"`
}

// FlowReport is what the flows of Pis have done.
type FlowReport struct {
	Started   uint64 `json:"started"`
	Succeeded uint64 `json:"succeeded"`
	Failed    uint64 `json:"failed"`
	Aborted   uint64 `json:"aborted"`
}

func (s *pis) report() *PiReport {
	if s == nil {
		return nil
	}
	c := &s.settings.Counts
	r := &PiReport{Motions: c.Motions.Load(), Readings: c.Readings.Load(), Captures: c.Captures.Load(), Finished: c.Finished.Load(),
		Shown: c.Shown.Load(), Cleared: c.Cleared.Load(), NotShown: c.NotShown()}
	s.mu.Lock()
	server, flows := s.server, s.flows
	s.mu.Unlock()
	if server != nil {
		r.Pictures = server.Base()
	}
	if s.settings.Flows {
		r.Flows = new(FlowReport)
	}
	if flows != nil {
		n := flows.Counts()
		*r.Flows = FlowReport{n.Started.Load(), n.Succeeded.Load(), n.Failed.Load(), n.Aborted.Load()}
	}
	return r
}

// lines are the report for people.
func (r *PiReport) lines(line func(name, format string, args ...any)) {
	if r == nil {
		return
	}
	line("pictures", "%d taken, %d announced, at %s", r.Captures, r.Finished, r.Pictures)
	line("screens", "%d pictures shown", r.Shown)
	line("motion", "%d times", r.Motions)
	if n := r.Flows; n != nil {
		line("flows", "%d started, %d succeeded, %d failed, %d aborted", n.Started, n.Succeeded, n.Failed, n.Aborted)
	}
	for _, why := range slices.Sorted(maps.Keys(r.NotShown)) {
		line("not shown", "%d × %s", r.NotShown[why], why)
	}
}
