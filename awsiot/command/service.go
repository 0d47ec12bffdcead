package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"pithings/api"
	"pithings/device"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
	"pithings/quietlog"
)

// maxPending bounds commands that wait for their turn.
const maxPending = 64

// deliver is how long a restart waits for its answer to reach the broker.
const deliver = 5 * time.Second

// lastAnswer is how long an answer may take on a connection that is held once the agent ends,
// which is what the connection itself gives to the queue.
const lastAnswer = 2 * time.Second

// Options are what a Service works with.
type Options struct {
	Settings Settings
	Device   string // DEVICE of cmd/ac/DEVICE/req: the client id, which on AWS IoT is the thing's name
	Link     mqttlink.Client
	Dir      string // folder for what is kept over restarts; "": nothing is
	// Things returns the things that there are now. It is called for every request.
	Things func() []Thing
	// Reconfigure checks and keeps changes to the configuration, as far as they may be made
	// from afar, and returns what is answered. apply is called after that: it begins to apply
	// them, which may end this service, and returns. Nil: commands cannot.
	Reconfigure func(ctx context.Context, config device.Values) (result device.Values, apply func(), err error)
	// Restart begins the end of the agent, and returns. Nil: commands cannot.
	Restart func()
	// Diagnose returns what is wrong, in less than MaxAnswer bytes of JSON. Nil: commands
	// cannot.
	Diagnose func(ctx context.Context) (device.Values, error)
	// Quarantined reports whether the device is in quarantine, where no command runs. Nil:
	// it never is.
	Quarantined func() bool
	Clock       *clock.Clock // nil: this machine's clock is right
	Log         *slog.Logger
}

// Service takes commands for as long as the agent runs.
type Service struct {
	o        Options
	sessions sessions
	quiet    *quietlog.Repeats
	slots    chan struct{} // has one for each command that runs

	mu     sync.Mutex
	lanes  map[string]*lane
	active int // commands that run or wait for their turn
	counts counts
}

// lane is of commands that run one at a time.
type lane struct {
	turn  chan struct{}
	users int
}

// counts are of requests, since the process began.
type counts struct {
	ok, failed, refused, repeated, unanswerable int
}

// New returns a service; Run runs it.
func New(o Options) *Service {
	if o.Quarantined == nil {
		o.Quarantined = func() bool { return false }
	}
	if o.Things == nil {
		o.Things = func() []Thing { return nil }
	}
	s := &Service{o: o, quiet: quietlog.NewRepeats(o.Log), slots: make(chan struct{}, max(1, o.Settings.Concurrent)), lanes: map[string]*lane{}}
	s.sessions.clock = o.Clock
	return s
}

// Name is the service's name.
func (s *Service) Name() string { return "command" }

// Run takes commands until ctx is done, and then waits for those that run, whose context is
// done, too.
func (s *Service) Run(ctx context.Context) error {
	if !s.o.Settings.Enabled {
		return nil
	}
	interrupted, damaged, err := s.sessions.open(s.o.Dir)
	if err != nil {
		return fmt.Errorf("sessions of commands: %w", err)
	}
	defer s.sessions.close()
	if interrupted > 0 || damaged > 0 {
		s.o.Log.Warn("commands ran when the agent ended, or their file is damaged; they do not run again", "interrupted", interrupted, "damaged_lines", damaged)
	}
	var running sync.WaitGroup
	defer running.Wait()
	cancel, err := s.o.Link.Subscribe(RequestTopic(s.o.Device), 1, func(_ context.Context, m mqttlink.Message) {
		s.take(ctx, m, running.Go)
	})
	if err != nil {
		return err
	}
	defer cancel()
	<-ctx.Done()
	return nil
}

// take takes a request; start runs a function on a goroutine of its own.
func (s *Service) take(ctx context.Context, m mqttlink.Message, start func(func())) {
	if m.Retain {
		s.ignore(m, errors.New("it is retained, and would run again after each connect; delete it from the broker with an empty retained message"))
		return
	}
	r, err := parse(m.Payload, s.o.Settings.ReplyPrefixes)
	if errors.Is(err, errUnanswerable) {
		s.ignore(m, err)
		return
	}
	if listens(s.o.Things(), r.reply) {
		s.ignore(m, fmt.Errorf("response-topic: %s is where a thing takes commands", r.reply))
		return
	}
	to := place{r.reply, m.QoS}
	if err != nil {
		s.refuse(ctx, &r, to, err)
		return
	}
	switch found, answer := s.sessions.join(&r, to); found {
	case finished:
		s.add(func(c *counts) { c.repeated++ })
		s.publish(ctx, to, answer, nil)
	case running:
		s.add(func(c *counts) { c.repeated++ })
	case reused:
		s.refuse(ctx, &r, to, fault(SessionReused, "this session-id belongs to another request; give each request its own"))
	case unknown: // and it stays so: requests are taken one at a time
		w, err := s.admit(&r)
		if err == nil {
			err = s.enter()
		}
		if err != nil {
			s.refuse(ctx, &r, to, err)
			return
		}
		one := s.sessions.enter(&r, to)
		start(func() {
			defer s.leave()
			s.work(ctx, &r, one, w)
		})
	}
}

// admit checks a new request.
func (s *Service) admit(r *request) (work, error) {
	if err := s.quarantine(); err != nil {
		return work{}, err
	}
	return s.resolve(r)
}

// quarantine returns why no command runs, or nil.
func (s *Service) quarantine() error {
	if s.o.Quarantined() {
		return fault(Quarantined, "this device is in quarantine, where it runs no commands; end that in its shadow first")
	}
	return nil
}

// enter counts a command that is to run.
func (s *Service) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active >= cap(s.slots)+maxPending {
		return fault(Busy, "%d commands run or wait; send it again later", s.active)
	}
	s.active++
	return nil
}

func (s *Service) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
}

// errTimeUp is why the context of a command ends.
var errTimeUp = errors.New("its time is over")

// work runs a command in its turn, and answers all who wait for it.
func (s *Service) work(ctx context.Context, r *request, one *session, w work) {
	timeout := s.o.Settings.Timeout.Duration
	waits, cancel := context.WithTimeout(ctx, timeout)
	free, err := s.turn(waits, w.lane)
	cancel()
	if err != nil {
		err = fault(TimedOut, "it did not run: others ran for %v", timeout)
		if ctx.Err() != nil {
			err = fault(Interrupted, "it did not run: the agent ends")
		}
		s.refuseAll(ctx, r, one, err)
		return
	}
	defer free()
	if err := s.quarantine(); err != nil { // it may have begun meanwhile
		s.refuseAll(ctx, r, one, err)
		return
	}
	if err := s.sessions.begin(one); err != nil {
		s.quiet.Say(slog.LevelError, "save", "commands cannot be saved: the disk cannot be written, and only read and diagnose run", "err", err)
		if !w.harmless {
			s.refuseAll(ctx, r, one, fault(NotSaved, "it did not run: that it begins cannot be saved, so that it could run twice; the disk is full or cannot be written"))
			return
		}
	}
	run, cancel := context.WithTimeoutCause(ctx, timeout, errTimeUp)
	defer cancel()
	result, err := s.contained(run, r, w.run)
	err = timedOut(run, err)
	payload := answerOf(r.session, result, err)
	waiting, unsaved := s.sessions.finish(one, payload)
	if unsaved != nil {
		s.quiet.Say(slog.LevelError, "save", "answer of a command is not saved; after a restart a repeat is answered with an error", "err", unsaved)
	}
	log := s.o.Log.With("type", r.kind, "session", r.session)
	if err != nil {
		s.add(func(c *counts) { c.failed++ })
		log.Warn("command failed", "err", err)
	} else {
		s.add(func(c *counts) { c.ok++ })
		log.Info("command done")
	}
	arrived := make(chan struct{}, len(waiting))
	s.publishAll(ctx, waiting, payload, func() { arrived <- struct{}{} })
	if w.then == nil || err != nil {
		return
	}
	select {
	case <-arrived:
	case <-time.After(deliver):
	case <-ctx.Done():
	}
	w.then()
}

// turn waits for a place among those that run, and in the lane.
func (s *Service) turn(ctx context.Context, name string) (free func(), err error) {
	s.mu.Lock()
	l := s.lanes[name]
	if l == nil {
		l = &lane{turn: make(chan struct{}, 1)}
		if name == "" {
			l.turn = make(chan struct{}, cap(s.slots))
		}
		s.lanes[name] = l
	}
	l.users++
	s.mu.Unlock()
	out := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.lanes, name)
		}
	}
	select {
	case l.turn <- struct{}{}: // first, so that who waits for a thing takes no place
	case <-ctx.Done():
		out()
		return nil, ctx.Err()
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		<-l.turn
		out()
		return nil, ctx.Err()
	}
	return func() {
		<-s.slots
		<-l.turn
		out()
	}, nil
}

// contained runs a command; a panic is an error of it alone.
func (s *Service) contained(ctx context.Context, r *request, run func(context.Context) (device.Values, error)) (v device.Values, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("command panicked; please report this", "type", r.kind, "err", p, "stack", string(debug.Stack()))
			err = fault(Failed, "internal error; the log of the agent has more")
		}
	}()
	return run(ctx)
}

// ignore notes a request that is not answered.
func (s *Service) ignore(m mqttlink.Message, err error) {
	s.add(func(c *counts) { c.unanswerable++ })
	s.quiet.Say(slog.LevelWarn, "ignored", "command ignored", "topic", m.Topic, "err", quietlog.OneLine(err.Error()))
}

// refuse answers a request that does not run. This answer is not saved.
func (s *Service) refuse(ctx context.Context, r *request, to place, err error) {
	s.refuseTo(ctx, r, []place{to}, err)
}

// refuseAll is refuse for a session that did not run after all.
func (s *Service) refuseAll(ctx context.Context, r *request, one *session, err error) {
	s.refuseTo(ctx, r, s.sessions.forget(one), err)
}

func (s *Service) refuseTo(ctx context.Context, r *request, waiting []place, err error) {
	s.add(func(c *counts) { c.refused += len(waiting) })
	s.quiet.Say(slog.LevelWarn, "refused", "command refused", "session", r.session, "err", quietlog.OneLine(err.Error()))
	s.publishAll(ctx, waiting, answerOf(r.session, nil, err), nil)
}

// publishAll sends an answer to all who wait for it, maxWaiting at most, side by side: on a
// connection that is held each takes as long as the broker needs to acknowledge it.
func (s *Service) publishAll(ctx context.Context, waiting []place, payload []byte, delivered func()) {
	var all sync.WaitGroup
	for _, to := range waiting {
		all.Go(func() { s.publish(ctx, to, payload, delivered) })
	}
	all.Wait()
}

// publish sends an answer. It is not for the end of the agent to stop it, but to bound it: the
// connection ends after the commands.
func (s *Service) publish(ctx context.Context, to place, payload []byte, delivered func()) {
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastAnswer, cancel) })()
	err := s.o.Link.Publish(last, mqttlink.Message{Topic: to.topic, QoS: to.qos, Payload: payload, Delivered: delivered})
	if err != nil && !errors.Is(err, mqttlink.ErrUnsaved) {
		s.quiet.Say(slog.LevelError, "answer", "answer of a command not sent; a repeat of the request gets it", "topic", to.topic, "err", err)
	}
}

func (s *Service) add(f func(*counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counts)
}

// Health adds how many commands there were.
func (s *Service) Health(add func(key string, value any)) {
	if !s.o.Settings.Enabled {
		return
	}
	s.mu.Lock()
	c, active := s.counts, s.active
	s.mu.Unlock()
	add("command", map[string]any{"active": active, "done": c.ok, "failed": c.failed, "refused": c.refused,
		"repeated": c.repeated, "ignored": c.unanswerable, "sessions": s.sessions.count(), "quarantined": s.o.Quarantined()})
}

// Collect adds the metrics.
func (s *Service) Collect(m *api.Metrics) {
	if !s.o.Settings.Enabled {
		return
	}
	s.mu.Lock()
	c, active := s.counts, s.active
	s.mu.Unlock()
	m.Family("pithings_commands_total", "counter", "Commands by MQTT, by what became of them. Ignored ones could not be answered.")
	for _, one := range []struct {
		outcome string
		n       int
	}{{"done", c.ok}, {"failed", c.failed}, {"refused", c.refused}, {"repeated", c.repeated}, {"ignored", c.unanswerable}} {
		m.Sample(float64(one.n), "outcome", one.outcome)
	}
	m.Family("pithings_commands_active", "gauge", "Commands by MQTT that run or wait for their turn.")
	m.Sample(float64(active))
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
