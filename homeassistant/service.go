package homeassistant

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"pithings/api"
	"pithings/mqttlink"
)

// Options are what a Service works with.
type Options struct {
	// Describe describes the device as it is now; nil: it is to disappear from Home Assistant.
	Describe func() *Description
	// Parts reports which parts work, by their things; nil is that it is not known yet.
	Parts func() map[string]*bool
	// Set changes settings of a thing, as a section of a configuration. Nil: none can be changed.
	Set    func(ctx context.Context, thing string, changes map[string]any) error
	Prefix string // of Home Assistant's topics
	Dir    string // the state folder
	Link   mqttlink.Client
	// Jitter returns how long a message that is due waits; nil: half a second to five seconds.
	Jitter func() time.Duration
	Log    *slog.Logger
}

// wait is how long a message may take to be delivered. If it has not been then, it is dropped from
// the outbox, and published again.
const wait = 10 * time.Minute

// between is the least time between two changes of settings: each is written to the disk.
const between = time.Second

// maxPending bounds settings that wait to be changed.
const maxPending = 64

func jitter() time.Duration {
	return 500*time.Millisecond + rand.N(4500*time.Millisecond)
}

// Service keeps the device in Home Assistant as it is described.
type Service struct {
	o    Options
	wake chan struct{} // has a token when something below has changed

	mu      sync.Mutex
	online  bool
	again   bool // it is to be published whatever has been: after a connect, or because it is wanted
	changed bool // it is to be published if it differs from what has been
	acks    []ack
	pending []setting
	health  Status
}

// ack is a message that the broker has.
type ack struct {
	topic string
	gone  map[string]string
}

// Status is what /healthz shows.
type Status struct {
	Components int        `json:"components"`
	Published  *time.Time `json:"published,omitempty"`
	Left       []string   `json:"left_out,omitempty"` // things that had no room in the message
}

// New returns a service; Run runs it.
func New(o Options) *Service {
	if o.Jitter == nil {
		o.Jitter = jitter
	}
	return &Service{o: o, wake: make(chan struct{}, 1)}
}

// Online notes the state of the connection.
func (s *Service) Online(online bool) {
	s.note(func() { s.online, s.again = online, s.again || online })
}

// Changed notes that the description or the parts may have changed.
func (s *Service) Changed() { s.note(func() { s.changed = true }) }

func (s *Service) note(what func()) {
	s.mu.Lock()
	what()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Health adds what /healthz shows.
func (s *Service) Health(add func(key string, value any)) {
	if s.o.Describe == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	add("home_assistant", s.health)
}

// Collect has no metrics to add.
func (s *Service) Collect(*api.Metrics) {}

// birth is what Home Assistant publishes when it is there.
const birth = "online"

// Run publishes until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	r := &run{Service: s, sent: map[string]time.Time{}, last: map[string][]byte{}}
	var err error
	if r.memory, err = recall(s.o.Dir); err != nil {
		s.o.Log.Warn("removed things may stay in Home Assistant", "err", err)
	}
	if s.o.Describe != nil {
		cancel, err := s.o.Link.Subscribe(s.o.Prefix+"/status", 1, func(_ context.Context, m mqttlink.Message) {
			if strings.TrimSpace(string(m.Payload)) == birth {
				s.note(func() { s.again = true })
			}
		})
		if err != nil {
			return err
		}
		defer cancel()
	}
	if s.o.Set != nil && s.o.Describe != nil {
		cancel, err := s.o.Link.Subscribe(SetTopic(s.o.Describe().ID), 1, s.command)
		if err != nil {
			return err
		}
		defer cancel()
	}
	s.Changed()
	return r.loop(ctx)
}

// command takes a setting of Home Assistant.
func (s *Service) command(_ context.Context, m mqttlink.Message) {
	if m.Retain {
		s.o.Log.Warn("retained setting ignored; delete it from the broker with an empty retained message", "topic", m.Topic)
		return
	}
	c, err := parseSetting(m.Payload)
	if err != nil {
		s.o.Log.Warn("setting of Home Assistant ignored", "topic", m.Topic, "err", err)
		return
	}
	s.note(func() {
		for i := range s.pending { // the last one counts
			if s.pending[i].Thing == c.Thing && s.pending[i].Key == c.Key {
				s.pending[i] = c
				return
			}
		}
		if len(s.pending) < maxPending {
			s.pending = append(s.pending, c)
		}
	})
}

// run is what belongs to the goroutine of Run.
type run struct {
	*Service
	memory memory
	sent   map[string]time.Time // by topic: when the message was published that is not acknowledged yet
	last   map[string][]byte    // by topic: the payload that was published last
	dirty  bool                 // something has changed while the message before was waiting

	due     *time.Timer // fires when what is due has waited; nil: nothing is due
	late    *time.Timer // fires when a message is not delivered in time; nil: none waits
	setNext *time.Timer // fires when settings may be changed again; nil: they may
}

// fires is a timer's channel; nil never fires.
func fires(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

func (r *run) loop(ctx context.Context) error {
	defer func() {
		for _, t := range []*time.Timer{r.due, r.late, r.setNext} {
			if t != nil {
				t.Stop()
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-fires(r.due):
			r.due = nil
			r.publish(ctx)
		case <-fires(r.late):
			r.late = nil
			r.expire()
		case <-fires(r.setNext):
			r.setNext = nil
		}
		r.acknowledge()
		r.set(ctx)
		r.plan()
	}
}

// plan has what is due published after a while. What becomes due meanwhile is published with it.
func (r *run) plan() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.due == nil && r.online && (r.again || r.changed) {
		r.due = time.NewTimer(r.o.Jitter())
	}
}

// publish publishes what is due.
func (r *run) publish(ctx context.Context) {
	r.mu.Lock()
	again, online := r.again, r.online
	if online {
		r.again, r.changed = false, false
	}
	r.mu.Unlock()
	if !online {
		return // it stays due, for the next connection
	}
	var topics []string
	if r.o.Describe != nil {
		d := r.o.Describe()
		topics = []string{DiscoveryTopic(d.Prefix, d.ID), StateTopic(d.ID)}
		r.state(ctx, d, again)
		r.describe(ctx, d, topics, again)
	}
	for _, topic := range r.memory.others(topics) {
		r.send(ctx, topic, nil, nil, again)
	}
}

// describe publishes the message.
func (r *run) describe(ctx context.Context, d *Description, topics []string, again bool) {
	if r.waits(topics[0]) {
		return
	}
	m := Make(d)
	unknown := map[string]bool{}
	for i := range d.Things {
		unknown[d.Things[i].Name] = d.Things[i].Unknown
	}
	before := encode(r.memory)
	r.memory.follow(m, topics, unknown)
	if encode(r.memory) != before {
		if err := r.memory.save(r.o.Dir); err != nil {
			r.o.Log.Warn("what is published to Home Assistant is not remembered: things that are removed may stay there", "err", err)
		}
	}
	if len(m.Left) > 0 {
		r.o.Log.Warn("Home Assistant does not see all: its message would be too long", "things", strings.Join(m.Left, ", "), "limit", MaxPayload)
	}
	now := time.Now()
	gone := maps.Clone(r.memory.Gone)
	if r.send(ctx, topics[0], m.Payload(gone), gone, again) {
		r.mu.Lock()
		r.health = Status{Components: len(m.components), Published: &now, Left: m.Left}
		r.mu.Unlock()
	}
}

// stateMessage is what is published on StateTopic.
type stateMessage struct {
	Version  string                        `json:"version"`
	Parts    map[string]*bool              `json:"parts"`
	Settings map[string]map[string]float64 `json:"settings,omitempty"`
}

// state publishes settings, states of parts and the version.
func (r *run) state(ctx context.Context, d *Description, again bool) {
	m := stateMessage{Version: d.Version, Parts: map[string]*bool{}, Settings: map[string]map[string]float64{}}
	parts := r.o.Parts()
	for i := range d.Things {
		t := &d.Things[i]
		m.Parts[t.Name] = parts[t.Name]
		for _, s := range t.Settings {
			if m.Settings[t.Name] == nil {
				m.Settings[t.Name] = map[string]float64{}
			}
			m.Settings[t.Name][s.Key] = s.Value
		}
	}
	r.send(ctx, StateTopic(d.ID), []byte(encode(m)), nil, again)
}

// waits reports whether a message of a topic is not acknowledged yet. Once it is, it is
// published again if it has changed.
func (r *run) waits(topic string) bool {
	_, waits := r.sent[topic]
	r.dirty = r.dirty || waits
	return waits
}

// send publishes a retained message, unless it is known to be there.
func (r *run) send(ctx context.Context, topic string, payload []byte, gone map[string]string, again bool) bool {
	last, known := r.last[topic]
	if r.waits(topic) || !again && known && bytes.Equal(last, payload) {
		return false
	}
	err := r.o.Link.Publish(ctx, mqttlink.Message{Topic: topic, Payload: payload, QoS: 1, Retain: true, Expiry: wait, Delivered: func() {
		r.note(func() { r.acks = append(r.acks, ack{topic, gone}) })
	}})
	if !mqttlink.Accepted(err) {
		if ctx.Err() == nil {
			r.o.Log.Warn("message for Home Assistant not published", "topic", topic, "err", err)
		}
		return false
	}
	r.last[topic], r.sent[topic] = payload, time.Now()
	if r.late == nil {
		r.late = time.NewTimer(wait + time.Second)
	}
	return true
}

// acknowledge notes which messages the broker has.
func (r *run) acknowledge() {
	r.mu.Lock()
	acks := r.acks
	r.acks = nil
	r.mu.Unlock()
	if len(acks) > 0 && r.dirty {
		r.dirty = false
		r.Changed()
	}
	for _, a := range acks {
		delete(r.sent, a.topic)
		r.memory.delivered(a.gone)
		if last := r.last[a.topic]; len(last) == 0 {
			r.memory.emptied(a.topic)
			r.o.Log.Info("removed from Home Assistant", "topic", a.topic)
		} else if len(a.gone) == 0 {
			continue
		}
		if err := r.memory.save(r.o.Dir); err != nil {
			r.o.Log.Warn("what is removed from Home Assistant is not remembered: it is removed again at the next start", "err", err)
		}
	}
}

// expire forgets messages that have expired in the outbox.
func (r *run) expire() {
	next := wait
	for topic, at := range r.sent {
		if age := time.Since(at); age >= wait {
			delete(r.sent, topic)
			delete(r.last, topic)
			r.note(func() { r.again = true })
		} else {
			next = min(next, wait-age)
		}
	}
	if len(r.sent) > 0 {
		r.late = time.NewTimer(next + time.Second)
	}
}

// set changes one setting, if some wait and the last change is not too recent.
func (r *run) set(ctx context.Context) {
	if r.setNext != nil {
		return
	}
	r.mu.Lock()
	if len(r.pending) == 0 {
		r.mu.Unlock()
		return
	}
	c := r.pending[0]
	r.pending = r.pending[1:]
	r.mu.Unlock()
	r.setNext = time.NewTimer(between)
	err := errors.New("settings cannot be changed on this device")
	var s *Setting
	if r.o.Set != nil {
		if s, err = r.o.Describe().find(c); err == nil && s.Value != *c.Value {
			err = r.o.Set(ctx, c.Thing, s.changes(*c.Value))
		}
	}
	if err != nil && ctx.Err() == nil {
		r.o.Log.Warn("setting of Home Assistant refused", "err", err)
		for topic := range r.last { // what is in effect is published once more
			if strings.HasSuffix(topic, stateSuffix) {
				delete(r.last, topic)
			}
		}
	}
	r.Changed()
}
