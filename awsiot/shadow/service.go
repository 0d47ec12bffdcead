package shadow

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"pithings/mqttlink"
	"pithings/quietlog"
)

// Options are what a Service is made of.
type Options struct {
	Link    mqttlink.Client
	Thing   string // the thing in the cloud
	Shadows []Shadow
	Every   time.Duration // see Config
	Refresh time.Duration // see Config
	Log     *slog.Logger

	session string         // of the client tokens; random if empty
	jitter  func() float64 // rand.Float64 if nil
}

// Shadow is one shadow of the thing.
type Shadow struct {
	Name     string   // "": the classic one
	Settings Settings // nil: what is desired has no effect
	// Connected has the shadow report connected: true while there is a connection, and false
	// at an orderly end. The shadow service ignores a will; a rule has to turn the
	// connection's will into an update.
	Connected bool
}

// Bounds of all shadows of a thing together, half of what the cloud allows.
const (
	maxInFlight = MaxInFlight / 2
	spacing     = 2 * time.Second / MaxRate
)

// Service keeps the shadows of a thing. It has the methods of an agent's service.
type Service struct {
	o       Options
	quiet   *quietlog.Repeats
	wake    chan struct{}
	applies sync.WaitGroup

	mu      sync.Mutex
	shadows []*one
	online  bool
	sent    time.Time // the last request
	next    int       // the shadow whose turn it is
}

// one is a shadow in a Service.
type one struct {
	Shadow
	m        *Machine
	applying bool
}

// New checks the options; the network is not used before Run.
func New(o Options) (*Service, error) {
	if err := CheckThing(o.Thing); err != nil {
		return nil, err
	}
	if len(o.Shadows) > MaxShadows {
		return nil, fmt.Errorf("%d shadows of %s, at most %d are allowed", len(o.Shadows), o.Thing, MaxShadows)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.session == "" {
		o.session = rand.Text()
	}
	if o.jitter == nil {
		o.jitter = mathrand.Float64
	}
	s := &Service{o: o, quiet: quietlog.NewRepeats(o.Log), wake: make(chan struct{}, 1)}
	for i, sh := range o.Shadows {
		if sh.Name != "" {
			if err := CheckName(sh.Name); err != nil {
				return nil, err
			}
		}
		if s.find(sh.Name) != nil {
			return nil, fmt.Errorf("%s has two shadows %q: give each a name of its own", o.Thing, sh.Name)
		}
		session := fmt.Sprintf("%s-%d", o.session, i)
		s.shadows = append(s.shadows, &one{Shadow: sh, m: NewMachine(Config{Session: session, Every: o.Every, Refresh: o.Refresh, Jitter: o.jitter})})
	}
	return s, nil
}

func (s *Service) find(name string) *one {
	i := slices.IndexFunc(s.shadows, func(x *one) bool { return x.Shadow.Name == name })
	if i < 0 {
		return nil
	}
	return s.shadows[i]
}

// Name is that of an agent's service.
func (s *Service) Name() string { return "shadow" }

// Online notes that the connection has been made, or has ended. The owner of the link calls it
// at each change of the link's state.
func (s *Service) Online(online bool) {
	s.mu.Lock()
	if online != s.online {
		s.online = online
		for _, x := range s.shadows {
			if online {
				x.m.Online(time.Now())
			} else {
				x.m.Offline(time.Now())
			}
		}
	}
	s.mu.Unlock()
	s.notify()
}

func (s *Service) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Report adds values to what a shadow is to report; null removes a key. It only notes them: the
// last value of each key is sent when there is a connection. An error says why they can never
// be reported.
func (s *Service) Report(name string, values map[string]any) error {
	s.mu.Lock()
	x := s.find(name)
	if x == nil {
		s.mu.Unlock()
		return fmt.Errorf("%s has no shadow %q here", s.o.Thing, short(name))
	}
	err := x.m.Report(values)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("shadow %q of %s: %w", name, s.o.Thing, err)
	}
	s.notify()
	return nil
}

// Again has the desired states applied once more, as far as they are known: what they are laid
// over has changed.
func (s *Service) Again() {
	s.mu.Lock()
	for _, x := range s.shadows {
		x.m.Again()
	}
	s.mu.Unlock()
	s.notify()
}

// Run works until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	names := make([]string, 0, len(s.shadows))
	for _, x := range s.shadows {
		names = append(names, x.Shadow.Name)
		if x.Connected {
			if err := s.Report(x.Shadow.Name, map[string]any{"connected": true}); err != nil {
				return err
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	cancel, err := s.o.Link.SubscribeAll(filters(s.o.Thing, names), 1, s.receive)
	if err != nil {
		return fmt.Errorf("shadows of %s: %w", s.o.Thing, err)
	}
	defer cancel()
	defer s.applies.Wait()
	for {
		for s.apply(ctx); s.publish(ctx); s.apply(ctx) {
		}
		var timer <-chan time.Time
		if at := s.deadline(); !at.IsZero() {
			timer = time.After(time.Until(at))
		}
		select {
		case <-s.wake:
		case <-timer:
		case <-ctx.Done():
			s.farewell(ctx)
			return nil
		}
	}
}

// receive hands a message to the shadow that it is for.
func (s *Service) receive(_ context.Context, m mqttlink.Message) {
	name, op, ok := parseTopic(s.o.Thing, m.Topic)
	if !ok {
		return // unsolicited
	}
	s.mu.Lock()
	var err error
	if x := s.find(name); x != nil { // other named shadows match the same filter
		err = x.m.Receive(time.Now(), op, m.Payload)
	}
	s.mu.Unlock()
	if err != nil {
		s.quiet.Say(slog.LevelWarn, "message "+m.Topic, "message of a shadow ignored", "topic", short(m.Topic), "err", err)
	}
	s.notify()
}

// publish sends the next request of any shadow. It reports whether there was one.
func (s *Service) publish(ctx context.Context) bool {
	now := time.Now()
	s.mu.Lock()
	x, r := s.turn(now)
	s.mu.Unlock()
	if r == nil {
		return false
	}
	topic := Topic(s.o.Thing, x.Shadow.Name, r.Op)
	err := s.o.Link.Publish(ctx, mqttlink.Message{Topic: topic, Payload: r.Payload, Expiry: r.Expiry})
	if err != nil && ctx.Err() == nil {
		s.mu.Lock()
		x.m.Failed(now, err)
		s.mu.Unlock()
		s.quiet.Say(slog.LevelWarn, "publish "+topic, "request for a shadow not sent", "topic", topic, "err", err)
	}
	return ctx.Err() == nil
}

// turn returns a request of the shadow whose turn it is. s.mu is held.
func (s *Service) turn(now time.Time) (*one, *Request) {
	if now.Before(s.sent.Add(spacing)) {
		return nil, nil
	}
	if s.full(now) {
		return nil, nil
	}
	for i := range s.shadows {
		at := (s.next + i) % len(s.shadows)
		x := s.shadows[at]
		if r := x.m.Next(now); r != nil {
			s.next, s.sent = at+1, now
			return x, r
		}
	}
	return nil, nil
}

// full reports whether no further request may be under way. s.mu is held.
func (s *Service) full(now time.Time) bool {
	flying := 0
	for _, x := range s.shadows {
		if x.m.Busy(now) {
			flying++
		}
	}
	return flying >= maxInFlight
}

// deadline returns when a shadow may have something to do; zero: when something happens.
func (s *Service) deadline() (at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	full := s.full(now)
	for _, x := range s.shadows {
		if full && !x.m.Busy(now) {
			continue // until one of the others has its answer
		}
		if t := x.m.Wake(); !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if ready := s.sent.Add(spacing); !at.IsZero() && at.Before(ready) {
		at = ready
	}
	return at
}

// apply starts what is to be done with new desired states, one at a time for each shadow.
func (s *Service) apply(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.shadows {
		if x.applying || x.Settings == nil || ctx.Err() != nil {
			continue
		}
		if desired, changed := x.m.Take(); changed {
			x.applying = true
			s.applies.Go(func() { s.applyOne(ctx, x, desired) })
		}
	}
}

func (s *Service) applyOne(ctx context.Context, x *one, desired map[string]any) {
	outcome, ok := s.outcome(ctx, x, desired)
	s.mu.Lock()
	x.applying = false
	var err error
	if ok {
		err = x.m.Applied(outcome)
	}
	s.mu.Unlock()
	if err != nil {
		s.o.Log.Error("settings of a shadow not reported", "shadow", x.Shadow.Name, "err", err)
	}
	s.notify()
}

// outcome calls Apply, whose panic must not end the other features.
func (s *Service) outcome(ctx context.Context, x *one, desired map[string]any) (o Outcome, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("settings of a shadow not applied", "shadow", x.Shadow.Name, "err", fmt.Sprint(p), "stack", string(debug.Stack()))
			o, ok = Outcome{}, false
		}
	}()
	return x.Settings.Apply(ctx, desired), true
}

// farewell reports that the thing is not connected any more. No answer is awaited.
func (s *Service) farewell(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	for _, x := range s.shadows {
		s.mu.Lock()
		online := s.online
		s.mu.Unlock()
		if !x.Connected || !online {
			continue
		}
		payload := []byte(`{"state":{"reported":{"connected":false}}}`)
		err := s.o.Link.Publish(ctx, mqttlink.Message{Topic: Topic(s.o.Thing, x.Shadow.Name, Update), Payload: payload, Expiry: time.Second})
		if err != nil {
			s.o.Log.Debug("end of the connection not reported in the shadow", "err", err)
		}
	}
}
