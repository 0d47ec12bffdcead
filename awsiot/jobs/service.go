package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"pithings/mqttlink"
	"pithings/quietlog"
)

// Options are what a Service is made of.
type Options struct {
	Link     mqttlink.Client
	Thing    string // the thing in the cloud
	Store    Store
	Now      Mark               // see ThisBoot
	Handlers map[string]Handler // by the action that a document names
	StepTime time.Duration      // see Config
	Longest  time.Duration      // for a job, after which it has failed: 1 h
	Log      *slog.Logger

	session string         // of the client tokens; random if empty
	jitter  func() float64 // rand.Float64 if nil
}

// Service does the jobs of a thing. It has the methods of an agent's service.
type Service struct {
	o     Options
	quiet *quietlog.Repeats
	wake  chan struct{}
	work  sync.WaitGroup

	saving sync.Mutex // of the loop and a handler; taken before mu

	mu      sync.Mutex
	m       *Machine
	online  bool
	changed chan struct{} // closed, and made anew, when the machine has taken something in
	next    *Execution    // to be begun when the handler before it has returned
	running *running
	last    *last
	ended   map[Status]int // jobs, since the service was made
}

// running is a job whose handler runs.
type running struct {
	Execution
	saved  Saved
	cancel context.CancelCauseFunc
	over   bool    // the cloud expects no result
	result *Result // when the handler has returned
}

// last is the job before.
type last struct {
	Job    string `json:"job"`
	Action string `json:"action,omitempty"`
	Status Status `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// New checks the options; the network is not used before Run.
func New(o Options) (*Service, error) {
	if !thingName.MatchString(o.Thing) {
		return nil, fmt.Errorf("the thing name %q is none that AWS IoT has: use 1 to 128 of a-z A-Z 0-9 : _ -", short(o.Thing))
	}
	if o.Store == nil {
		return nil, errors.New("jobs need a store, so that a result outlives the process")
	}
	if o.Longest <= 0 {
		o.Longest = time.Hour
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
	m := NewMachine(Config{Thing: o.Thing, Session: o.session, StepTime: o.StepTime, Jitter: o.jitter})
	return &Service{o: o, m: m, quiet: quietlog.NewRepeats(o.Log), wake: make(chan struct{}, 1),
		changed: make(chan struct{}), ended: map[Status]int{}}, nil
}

// Name is that of an agent's service.
func (s *Service) Name() string { return "jobs" }

// Online notes that the connection has been made, or has ended. The owner of the link calls it
// at each change of the link's state.
func (s *Service) Online(online bool) {
	s.mu.Lock()
	if s.online != online {
		if s.online = online; online {
			s.m.Online(time.Now())
		} else {
			s.m.Offline(time.Now())
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

// Run works until ctx is done, and then waits for the handler.
func (s *Service) Run(ctx context.Context) error {
	cancel, err := s.o.Link.SubscribeAll(filters(s.o.Thing), 1, s.receive)
	if err != nil {
		return fmt.Errorf("jobs of %s: %w", s.o.Thing, err)
	}
	defer cancel()
	s.mu.Lock()
	s.m.Restart()
	s.next = nil
	s.mu.Unlock()
	for {
		for s.step(ctx); s.publish(ctx); s.step(ctx) {
		}
		s.mu.Lock()
		at := s.m.Wake()
		s.mu.Unlock()
		var timer <-chan time.Time
		if !at.IsZero() {
			timer = time.After(time.Until(at))
		}
		select {
		case <-s.wake:
		case <-timer:
		case <-ctx.Done():
			s.work.Wait()
			s.conclude(ctx)
			return nil
		}
	}
}

// receive hands a message to the machine.
func (s *Service) receive(_ context.Context, m mqttlink.Message) {
	s.mu.Lock()
	err := s.m.Receive(time.Now(), m.Topic, m.Payload)
	s.alter()
	s.mu.Unlock()
	if err != nil {
		s.quiet.Say(slog.LevelWarn, "message "+m.Topic, "message about jobs ignored", "topic", short(m.Topic), "err", err)
	}
	s.notify()
}

// alter wakes those who wait for a change of the machine. s.mu is held.
func (s *Service) alter() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// publish sends the next request. It reports whether there was one.
func (s *Service) publish(ctx context.Context) bool {
	now := time.Now()
	s.mu.Lock()
	r := s.m.Next(now)
	s.mu.Unlock()
	if r == nil {
		return false
	}
	err := s.o.Link.Publish(ctx, mqttlink.Message{Topic: r.Topic, Payload: r.Payload, Expiry: r.Expiry})
	if err != nil && ctx.Err() == nil {
		s.mu.Lock()
		s.m.Failed(now, err)
		s.mu.Unlock()
		s.quiet.Say(slog.LevelWarn, "publish "+r.Topic, "request about jobs not sent", "topic", r.Topic, "err", err)
	}
	return ctx.Err() == nil
}

// step does what the cloud and the handler have made necessary.
func (s *Service) step(ctx context.Context) {
	s.mu.Lock()
	forget := false
	for _, e := range s.m.Events() {
		switch {
		case !e.Over:
			s.next = &e.Execution
		case s.running != nil && s.running.key() == e.key():
			s.running.over = true
			s.running.cancel(ErrOver)
			s.o.Log.Warn("job ended by the cloud", "job", e.JobID)
		default:
			if forget = true; !e.Reported {
				s.o.Log.Warn("job ended by the cloud, or its result was reported by the last run", "job", e.JobID)
			}
			if s.next != nil && s.next.key() == e.key() {
				s.next = nil
			}
		}
	}
	s.mu.Unlock()
	if forget {
		s.save(Saved{})
	}
	s.conclude(ctx)
	s.mu.Lock()
	next := s.next
	idle := s.running == nil
	if idle {
		s.next = nil
	}
	s.mu.Unlock()
	if idle && next != nil && ctx.Err() == nil {
		s.begin(ctx, next)
	}
}

// save replaces what is saved.
func (s *Service) save(saved Saved) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	return s.store(saved)
}

// store does that; s.saving is held.
func (s *Service) store(saved Saved) error {
	err := s.o.Store.Save(saved)
	if err != nil {
		s.quiet.Say(slog.LevelError, "save", "state of the job not saved: after a restart it may be done again", "job", saved.JobID, "err", err)
	}
	return err
}

// finish reports a result.
func (s *Service) finish(e *Execution, action string, r Result) {
	level := slog.LevelInfo
	if r.Status != Succeeded {
		level = slog.LevelWarn
	}
	reason := short(r.Details["reason"])
	s.o.Log.Log(context.Background(), level, "job ended", "job", e.JobID, "action", short(action), "status", r.Status, "reason", reason)
	s.mu.Lock()
	s.m.Finish(e.JobID, e.Number, r.Status, r.Details)
	s.ended[r.Status]++
	s.last = &last{Job: e.JobID, Action: short(action), Status: r.Status, Reason: reason}
	s.mu.Unlock()
	s.notify()
}
