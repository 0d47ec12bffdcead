package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/awsiot"
	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/playground"
	"pithings/fleet/internal/rehearsal"
	"pithings/fleet/scenario"
	"pithings/mqttlink/dial"
)

// Fleet is devices that are made and not running yet.
type Fleet struct {
	*plan
	addresses []netip.AddrPort
	tls       *identities // nil: in the clear
	settings  playground.Settings
	devices   []*playground.Device // nil for Pis and rogue devices
	pis       *pis                 // nil: there are none
	places    *places              // nil: there is no factory
	engine    *engine.Engine
	budget    budget
	changes   sync.Mutex           // one change of intervals at a time
	rehearsal *rehearsal.Rehearsal // nil: no scenario
	rogues    *rogues              // nil: there are none

	mu    sync.Mutex
	began time.Time
	ended time.Time
}

// New makes a fleet. It reads certificates and looks the broker up, and connects nothing. The error
// is a *GuardError where a broker is not known to be the caller's.
func New(ctx context.Context, o Options) (*Fleet, error) {
	p, err := o.check()
	if err != nil {
		return nil, err
	}
	return assemble(ctx, p)
}

func assemble(ctx context.Context, p *plan) (f *Fleet, err error) {
	f = &Fleet{plan: p}
	f.budget.rate = p.rate()
	if f.tls, err = p.readTLS(); err != nil {
		return nil, err
	}
	if f.addresses, err = f.lookUp(ctx); err != nil {
		return nil, err
	}
	if err := checkDescriptors(p.Devices); err != nil {
		return nil, err
	}
	f.settings = playground.Settings{
		Interval: p.Interval, Defender: p.Defender, QoS: p.QoS, KeepAlive: p.Broker.KeepAlive,
		IP: ownAddress(f.addresses[0]), Broker: f.addresses[0].String(), Started: time.Now(),
	}
	f.devices = make([]*playground.Device, p.Devices)
	f.pis = newPis(p, f.settings.IP, f.settings.Started)
	away := p.rogue
	if p.Factory {
		f.places, away = newPlaces(p.Devices), func(int) bool { return true }
	}
	var tlsOf func(int) *tls.Config
	if f.tls != nil {
		tlsOf = f.tlsOf
	}
	if p.script != nil {
		o := rehearsal.Options{Devices: p.Devices, Identities: p.Identities}
		if f.tls != nil {
			o.Own = f.tls.own
		}
		if f.rehearsal, err = rehearsal.New(p.script, o); err != nil {
			return nil, err
		}
		away = f.rehearsal.Away
	}
	f.engine, err = engine.New(engine.Options{
		Devices: p.Devices, Ramp: p.Ramp, Seed: p.Seed, TLS: tlsOf, Away: away,
		Addresses: f.lookUp,
		Client:    f.client,
		Session:   f.session,
	})
	if err == nil {
		f.rogues, err = newRogues(p, f.tls, f.addresses, f.lookUp)
	}
	return f, err
}

// tlsOf is what a device shows of itself; nil: it connects in the clear.
func (f *Fleet) tlsOf(i int) *tls.Config {
	switch {
	case f.tls == nil:
		return nil
	case f.rehearsal != nil && f.rehearsal.TLS(i) != nil:
		return f.rehearsal.TLS(i)
	case f.places != nil:
		return f.places.tls(i, f.tls.shared)
	}
	return f.tls.of(i)
}

// lookUp returns the broker's addresses if the guard lets the devices there. It is called again
// while they run: a name must not lead them elsewhere.
func (f *Fleet) lookUp(ctx context.Context) ([]netip.AddrPort, error) {
	all, err := lookUp(ctx, f.endpoint, &dial.Dialer{})
	if err != nil {
		return nil, err
	}
	if err := f.guard(all); err != nil {
		return nil, err
	}
	most := float64(MaxRate)
	if far(all) {
		most = MaxFarRate
	}
	return all, f.budget.limit(most)
}

// seedStep keeps the devices of one seed apart from those of another: it is odd, so that every bit of a
// seed counts.
const seedStep = 0xd1342543de82ef95

// client makes a device.
func (f *Fleet) client(i int) engine.Client {
	k, seed := f.kind(i), f.Seed*seedStep+uint64(i)
	if k.pi {
		return f.follows(f.pis.client(i, f.name(i), seed), i)
	}
	if k.rogue {
		return absent{}
	}
	d := playground.Device{Name: f.name(i), Kind: k.Kind, Seed: seed, Driven: f.rehearsal != nil}
	if d.Kind == playground.Switch {
		d.Target = f.target(i)
	}
	f.devices[i] = playground.New(&f.settings, d)
	return f.follows(f.devices[i], i)
}

// follows lets a device follow the scenario, if there is one.
func (f *Fleet) follows(d engine.Client, i int) engine.Client {
	if f.rehearsal != nil {
		return f.rehearsal.Client(d, i)
	}
	return d
}

func (f *Fleet) session(i int) engine.Session {
	var s engine.Session
	if f.kind(i).pi {
		s = f.pis.all[i].Session()
	} else {
		s = f.devices[i].Session()
	}
	s.Login.Username, s.Login.Password = f.Broker.Username, f.Broker.Password
	if f.rehearsal != nil {
		f.rehearsal.Session(i, &s)
	}
	return s
}

// ownAddress is this machine's address as the broker sees it, without a router between them.
// Nothing is sent.
func ownAddress(to netip.AddrPort) string {
	c, err := net.Dial("udp", to.String())
	if err != nil {
		return netip.IPv4Unspecified().String()
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().String()
}

// Plan says in a few lines what Run will do.
func (f *Fleet) Plan() string {
	var b strings.Builder
	if p := f.script; p != nil {
		b.WriteString(rehearsal.Outline(p, f.Types, f.endpoint.String(), f.rate()))
		b.WriteString(f.pis.plan())
		if _, _, aws := awsiot.Limits(f.Broker.Endpoint); aws {
			fmt.Fprintf(&b, "that is %.0f messages %s, beside those, which AWS bills: https://aws.amazon.com/iot-core/pricing/\n", f.total(), map[bool]string{true: "a day", false: "in all"}[p.End == scenario.Never])
		}
		return b.String()
	}
	b.WriteString(f.rogues.says())
	n := f.Devices - f.plan.rogues()
	if n == 0 {
		return b.String()
	}
	kinds := strings.Join(slices.DeleteFunc(slices.Clone(f.Types), func(name string) bool { return name == typeRogue }), ", ")
	most := ""
	if f.Factory {
		most = "at most "
		fmt.Fprintf(&b, "at most %s connect to %s, as they are made\n", count(n, "device"), f.endpoint)
	} else {
		fmt.Fprintf(&b, "%s (%s) connect to %s, at most %v in a second: all within %v at best\n",
			count(n, "device"), kinds, f.endpoint, f.Ramp, time.Duration(float64(n)/f.Ramp*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintf(&b, "each publishes telemetry with QoS %d every %v: %s%.5g messages a second\n", f.QoS, f.Interval, most, f.rate())
	b.WriteString(f.pis.plan())
	if _, _, aws := awsiot.Limits(f.Broker.Endpoint); aws {
		fmt.Fprintf(&b, "that is %.0f messages and %.0f minutes of connection a day, which AWS bills: https://aws.amazon.com/iot-core/pricing/\n", f.PerDay(), float64(n)*24*60)
	}
	return b.String()
}

// PerDay is how many messages the devices publish in a day: those of rate and Defender reports.
func (f *Fleet) PerDay() float64 {
	const day = 24 * time.Hour
	reports := 0
	for i := range f.Devices {
		if f.Defender > 0 && f.kind(i).Services() {
			reports++
		}
	}
	n := f.rate() * day.Seconds()
	if reports > 0 {
		n += float64(reports) * float64(day) / float64(f.Defender)
	}
	return n
}

// Run connects the devices and keeps them at work until ctx is done. It ends their sessions
// cleanly.
func (f *Fleet) Run(ctx context.Context) error {
	f.note(&f.began)
	defer f.note(&f.ended)
	return f.run(ctx)
}

// run runs the devices. Rogue devices alone end the run when they are through.
func (f *Fleet) run(ctx context.Context) error {
	run := f.engine.Run
	if f.rehearsal != nil {
		run = func(ctx context.Context) error { return f.rehearsal.Run(ctx, f.engine) }
	}
	if f.pis != nil {
		fleet := run
		run = func(ctx context.Context) error { return f.pis.run(ctx, f.engine, fleet) }
	}
	if f.rogues == nil {
		return run(ctx)
	}
	if f.plan.rogues() == f.Devices {
		return f.rogues.Run(ctx)
	}
	var attacks sync.WaitGroup
	var failed error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	attacks.Go(func() { failed = f.rogues.Run(ctx) })
	err := run(ctx)
	cancel()
	attacks.Wait()
	return errors.Join(err, failed)
}

// note notes the time.
func (f *Fleet) note(at *time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*at = time.Now()
}

// ran is how long it has run.
func (f *Fleet) ran() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.began.IsZero():
		return 0
	case f.ended.IsZero():
		return time.Since(f.began)
	}
	return f.ended.Sub(f.began)
}
