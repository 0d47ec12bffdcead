package rogue

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"sync"
)

// Options say who does what to which broker.
type Options struct {
	Devices []Device
	// Witness is who sees what they can do: another client, with another name. NoWitness says
	// why there is none.
	Witness   *Device
	NoWitness string
	// Addresses looks the broker up. It is called for each connection.
	Addresses func(context.Context) ([]netip.AddrPort, error)
	Ramp      float64 // connections begun in a second; MaxConnects at most
	Far       bool    // the broker is not on this machine or a private network
	AWS       bool    // it is AWS IoT Core
	StolenIDs []string
	Seed      uint64
}

// Runner has rogue devices run all behaviours.
type Runner struct {
	o    Options
	list []Behaviour
	site *site

	alone sync.Mutex // held by the device that must be the only one

	mu       sync.Mutex
	findings map[string]Finding
	left     map[string][]string
	done     int // behaviours that a device has been through
}

// New makes a runner. It connects nothing.
func New(o Options) (*Runner, error) {
	switch {
	case len(o.Devices) < 1 || len(o.Devices) > MaxDevices:
		return nil, fmt.Errorf("%d rogue devices: at most %d are run", len(o.Devices), MaxDevices)
	case len(o.StolenIDs) > MaxStolenIDs:
		return nil, fmt.Errorf("%d client ids of others: at most %d are tried", len(o.StolenIDs), MaxStolenIDs)
	}
	messages := float64(MaxMessages)
	if o.Far {
		messages = MaxFarMessages
	}
	return &Runner{
		o: o, list: List(), findings: map[string]Finding{}, left: map[string][]string{},
		site: &site{
			addresses: o.Addresses, connects: newPace(min(o.Ramp, MaxConnects)), messages: newPace(messages),
			far: o.Far, times: usual(o.Far), run: rand.Text()[:13], // not of the seed: another run may have left a message
		},
	}, nil
}

// Run has each device run each behaviour once, and removes what they leave. Each device begins at
// another place of the list. Run ends when all are through, or ctx is done.
func (r *Runner) Run(ctx context.Context) error {
	w, why := r.witness(ctx)
	if w != nil {
		defer w.leave()
	}
	var running sync.WaitGroup
	for i := range r.o.Devices {
		running.Go(func() { r.device(ctx, i, w, why) })
	}
	running.Wait()
	return nil
}

// witness connects the witness, or returns why there is none.
func (r *Runner) witness(ctx context.Context) (w *witness, why string) {
	d := r.o.Witness
	if d == nil {
		return nil, r.o.NoWitness
	}
	w = &witness{site: r.site, device: d, ctx: context.WithoutCancel(ctx)}
	var err error
	if w.home, err = r.site.findHome(ctx, d); err != nil {
		return nil, fmt.Sprintf("the witness %s: %v", d.Name, err)
	}
	if w.home == "" {
		return nil, fmt.Sprintf("the witness %s has no topic that it may publish and receive: %s", d.Name, homes(d.Name))
	}
	c, err := w.at(ctx)
	if err != nil {
		return nil, err.Error()
	}
	// A broker that gives both the client id of one certificate ends the first of them.
	other, err := r.site.enter(ctx, &r.o.Devices[0])
	if err != nil {
		return w, "" // it will be said of each behaviour
	}
	defer other.close()
	if c.await(ctx, r.site.times.settle, func(in *inbox) bool { return in.err != nil }) {
		w.leave()
		return nil, "the broker takes the device and the witness for one client: give each an identity of its own (--identities FOLDER, with one more than -n)"
	}
	return w, ""
}

// device has one device run all behaviours.
func (r *Runner) device(ctx context.Context, i int, w *witness, why string) {
	d := &r.o.Devices[i]
	home, err := r.site.findHome(ctx, d)
	n := len(r.list)
	for k := range n {
		b := &r.list[(i*n/len(r.o.Devices)+k)%n]
		if err != nil && ctx.Err() == nil {
			r.note(b, notTested(fmt.Sprintf("%s: %v", d.Name, err)), nil)
			continue
		}
		p := &probe{
			site: r.site, device: d, home: home, witness: w, noWitness: why, stolen: r.o.StolenIDs,
			random: mathrand.New(mathrand.NewPCG(r.o.Seed, uint64(i)<<32|uint64(k))),
		}
		f := r.try(ctx, b, p)
		r.note(b, f, p.left)
	}
}

// try runs a behaviour, and removes what it leaves.
func (r *Runner) try(ctx context.Context, b *Behaviour, p *probe) Finding {
	if b.alone {
		r.alone.Lock()
		defer r.alone.Unlock()
	}
	if ctx.Err() != nil {
		return notTested("the run ended before")
	}
	limited, cancel := context.WithTimeout(ctx, r.site.times.behaviour)
	defer cancel()
	f := b.run(limited, p)
	interrupted := limited.Err() != nil
	p.end()
	p.clean(ctx)
	p.end()
	switch {
	case interrupted && ctx.Err() != nil: // its connections have ended, too, which is no evidence
		return notTested("the run ended before")
	case interrupted:
		return notTested(fmt.Sprintf("it was not through after %v", r.site.times.behaviour))
	}
	return f
}

// note notes a finding. What one device was let do counts, whatever others found.
func (r *Runner) note(b *Behaviour, f Finding, left []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.left[b.Name] = append(r.left[b.Name], left...)
	if before, ok := r.findings[b.Name]; !ok || f.rank() < before.rank() {
		r.findings[b.Name] = f
	}
}

// Results are what has been found out so far, in the order of the list.
func (r *Runner) Results() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Result, 0, len(r.list))
	for i := range r.list {
		b := &r.list[i]
		f, ok := r.findings[b.Name]
		if !ok {
			f = notTested("the run ended before")
		}
		one := Result{Behaviour: b.Name, Verdict: f.Verdict, How: f.How, Detail: f.Detail, Left: slices.Clone(r.left[b.Name])}
		if f.Verdict == Through {
			one.Severity, one.Remedy = b.Severity, b.Mosquitto
			if r.o.AWS {
				one.Remedy = b.AWS
			}
		}
		all = append(all, one)
	}
	return all
}

// Progress is how many behaviours are through, of how many, and how many of them were let through.
func (r *Runner) Progress() (done, all, through int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.findings {
		if f.Verdict == Through {
			through++
		}
	}
	return r.done, len(r.list) * len(r.o.Devices), through
}
