package fleet

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"pithings/awsiot"
	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/rogue"
	"pithings/mqttlink/packet"
)

// RogueResult is what has become of one behaviour of rogue devices.
type RogueResult = rogue.Result

// Limits of rogue devices.
const (
	MaxRogues    = rogue.MaxDevices
	MaxStolenIDs = rogue.MaxStolenIDs
)

// rogues are the rogue devices of a fleet. They are not the engine's: there they stay away.
type rogues struct {
	*rogue.Runner
	plan *plan
	far  bool // the broker is
}

// newRogues makes the rogue devices; nil if there are none. lookUp is guarded.
func newRogues(p *plan, c *identities, addresses []netip.AddrPort, lookUp func(context.Context) ([]netip.AddrPort, error)) (*rogues, error) {
	if p.rogues() == 0 {
		return nil, nil
	}
	device := func(i int) rogue.Device {
		d := rogue.Device{Username: p.Broker.Username, Password: p.Broker.Password}
		if c != nil {
			d.TLS = c.of(i)
		}
		if d.Name = p.spare; i < p.Devices || p.names == nil {
			d.Name = p.name(i)
		}
		return d
	}
	_, _, aws := awsiot.Limits(p.Broker.Endpoint)
	away := far(addresses)
	o := rogue.Options{
		Addresses: (&remembered{lookUp: lookUp}).get, Ramp: p.Ramp, Far: away, AWS: aws, StolenIDs: p.StolenIDs, Seed: p.Seed,
	}
	for i := range p.Devices {
		if p.rogue(i) {
			o.Devices = append(o.Devices, device(i))
		}
	}
	last := len(o.Devices) - 1
	switch {
	case p.names == nil || p.spare != "": // one more than there are devices
		witness := device(p.Devices)
		o.Witness = &witness
	case last > 0:
		o.Witness, o.Devices = &o.Devices[last], o.Devices[:last]
	default:
		o.NoWitness = fmt.Sprintf("it needs a second identity, to see what arrives, and %s has %s: make one more (pithings provision local --count)", p.Identities, count(p.Devices, "device"))
	}
	r, err := rogue.New(o)
	return &rogues{r, p, away}, err
}

// absent is a rogue device in the engine, where it never connects.
type absent struct{}

func (absent) Online(time.Duration, engine.Out)                   {}
func (absent) Receive(time.Duration, *packet.Message, engine.Out) {}
func (absent) Tick(time.Duration, engine.Out)                     {}
func (absent) Wake() time.Duration                                { return -1 }
func (absent) Offline(time.Duration)                              {}

// remembered looks a broker up once in a while: rogue devices connect often.
type remembered struct {
	lookUp func(context.Context) ([]netip.AddrPort, error)

	mu  sync.Mutex
	all []netip.AddrPort
	at  time.Time
}

func (r *remembered) get(ctx context.Context) ([]netip.AddrPort, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all != nil && time.Since(r.at) < lookUpEvery {
		return r.all, nil
	}
	all, err := r.lookUp(ctx)
	if err == nil {
		r.all, r.at = all, time.Now()
	}
	return all, err
}

// lookUpEvery is how long an address of the broker is used.
const lookUpEvery = 30 * time.Second

// says returns what the rogue devices will do.
func (r *rogues) says() string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s) attack %s as broken firmware and attackers do, with each of %d behaviours once: foreign topics, floods, broken packets, wills, retained messages that are removed again\n",
		count(r.plan.rogues(), "device"), typeRogue, r.plan.endpoint, len(rogue.List()))
	rate := rogue.MaxMessages
	if r.far {
		rate = rogue.MaxFarMessages
	}
	fmt.Fprintf(&b, "together they send at most %d messages and begin at most %d connections in a second", rate, rogue.MaxConnects)
	if len(r.plan.StolenIDs) > 0 {
		fmt.Fprintf(&b, "; they take the client ids of %s from others, whose connections may end", count(len(r.plan.StolenIDs), "client"))
	}
	b.WriteByte('\n')
	if _, _, aws := awsiot.Limits(r.plan.Broker.Endpoint); aws {
		fmt.Fprintf(&b, "that is about %d messages, once, which AWS bills (large ones as several): https://aws.amazon.com/iot-core/pricing/\n", r.plan.rogues()*rogue.Publishes)
	}
	return b.String()
}

// results are what the rogue devices have found out so far.
func (r *rogues) results() []RogueResult {
	if r == nil {
		return nil
	}
	return r.Results()
}

// letThrough counts the behaviours that the broker let through, with the severity low or a higher one, and how
// many of all were tested.
func letThrough(results []RogueResult) (low, more, tested int) {
	for _, one := range results {
		switch {
		case one.Verdict == rogue.NotTested:
			continue
		case one.Verdict == rogue.Through && one.Severity == rogue.Low:
			low++
		case one.Verdict == rogue.Through:
			more++
		}
		tested++
	}
	return low, more, tested
}

// rogueLines are the verdicts for people: the worst first, and then what to configure.
func rogueLines(b *strings.Builder, results []RogueResult) {
	if len(results) == 0 {
		return
	}
	low, more, tested := letThrough(results)
	fmt.Fprintf(b, "%-14s %d of %d behaviours let through (%d of low severity), %d not tested\n\n", "rogue", low+more, len(results), low, len(results)-tested)
	order := map[rogue.Verdict]int{rogue.Through: 0, rogue.NotTested: 1, rogue.Stopped: 2}
	all := slices.Clone(results)
	sort.SliceStable(all, func(i, j int) bool { // smaller than slices.SortFunc: see test/size
		a, b := &all[i], &all[j]
		return cmp.Or(order[a.Verdict]-order[b.Verdict], a.Severity.Rank()-b.Severity.Rank()) < 0
	})
	var remedies []string
	of := map[string][]string{}
	for _, one := range all {
		words := slices.DeleteFunc([]string{one.How, one.Detail}, func(s string) bool { return s == "" })
		fmt.Fprintf(b, "%-11s  %-8s  %-20s  %s\n", one.Verdict, one.Severity, one.Behaviour, strings.Join(words, ": "))
		for _, topic := range one.Left {
			fmt.Fprintf(b, "%-11s  %-8s  %-20s  a retained message could not be removed: %s\n", "", "", one.Behaviour, topic)
		}
		if one.Remedy == "" {
			continue
		}
		if of[one.Remedy] == nil {
			remedies = append(remedies, one.Remedy)
		}
		of[one.Remedy] = append(of[one.Remedy], one.Behaviour)
	}
	if len(remedies) > 0 {
		b.WriteString("\nWhat to configure:\n")
	}
	for _, text := range remedies {
		fmt.Fprintf(b, "  %s\n    %s\n", strings.Join(of[text], ", "), text)
	}
}

// line is how the rogue devices are doing.
func (r *rogues) line() string {
	if r == nil {
		return ""
	}
	done, all, through := r.Progress()
	return fmt.Sprintf("%d of %d behaviours tried, %d let through", done, all, through)
}
