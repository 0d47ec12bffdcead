package things

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"pithings/device"
	"pithings/mqttlink"
	"pithings/quietlog"
)

// Remote is a thing at the broker as the flows of one process use it. There is one
// for each thing, because most answers carry no sign of what they answer: it lets
// one action that has an answer be in flight at a time, and knows which answers
// no caller waits for.
//
// An answer that comes after its time-out is logged and attributed to no command. Who
// asks next waits up to lateGrace for it; if it comes later still, it passes for
// the answer to the next command, unless the thing echoes tokens.
type Remote struct {
	thing string
	link  mqttlink.Client
	turn  chan struct{} // holds one token: one action that has an answer is in flight

	mu       sync.Mutex
	answers  map[string]*answers // what is subscribed to, by topic
	waiting  *waiting            // the action in flight
	late     time.Time           // until then an answer is that of an abandoned command
	came     chan struct{}       // closed when that answer has come
	echoes   bool                // it has repeated a token
	answered time.Time           // the last time that an answer found its command
	foreign  []map[string]any    // answers to commands that did not pass the broker
	unique   []map[string]any    // answers that found their command and cannot come again
	expired  []string            // tokens of abandoned commands
	stats    RemoteStats
	said     *quietlog.Repeats
}

// RemoteStats count messages of a thing that no flow could use.
type RemoteStats struct {
	Late   uint64 `json:"late"`   // answers that came after the time-out
	Second uint64 `json:"second"` // further answers to a command that had one
	Other  uint64 `json:"other"`  // answers to commands that are not ours
	Unread uint64 `json:"unread"` // answers and events that could not be read
}

// answers is the subscription to a topic of answers.
type answers struct {
	read   Reader
	users  int
	cancel func()
}

// waiting is an action that waits for its answer.
type waiting struct {
	action Action
	token  string
	answer chan map[string]any
}

const (
	// lateGrace is how long the next command waits for the answer of one that
	// timed out.
	lateGrace = 5 * time.Second
	// secondWithin is how long after an answer another one counts as its repetition.
	secondWithin = time.Minute
	// remembered bounds each list of what a remote remembers.
	remembered = 16
)

// NewRemote returns the thing of that name at the link's broker.
func NewRemote(thing string, link mqttlink.Client, log *slog.Logger) *Remote {
	r := &Remote{thing: thing, link: link, turn: make(chan struct{}, 1),
		answers: map[string]*answers{}, said: quietlog.NewRepeats(log.With("thing", thing))}
	r.turn <- struct{}{}
	return r
}

// Stats returns the counts.
func (r *Remote) Stats() RemoteStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Foreign notifies the remote of an answer that the thing publishes for a command
// which did not pass the broker: no caller may take it for its own.
func (r *Remote) Foreign(values map[string]any) {
	r.mu.Lock()
	r.foreign = remember(r.foreign, values)
	r.mu.Unlock()
}

func remember[T any](list []T, v T) []T {
	if len(list) == remembered {
		list = append(list[:0], list[1:]...)
	}
	return append(list, v)
}

// As returns the thing as a device of flows under a description. group, if not
// "", is the group in which several processes share its events and carry tokens in
// their commands; qos is that of commands. Close must follow.
func (r *Remote) As(m Model, group string, qos byte) (*Described, error) {
	d := &Described{r: r, model: m.expand(r.thing), group: group, qos: qos}
	for _, a := range d.model.Actions {
		if a.Answer == "" {
			continue
		}
		if err := r.listen(a.Answer, a.Read); err != nil {
			d.Close()
			return nil, err
		}
		d.listens = append(d.listens, a.Answer)
	}
	return d, nil
}

// listen subscribes to a topic of answers.
func (r *Remote) listen(topic string, read Reader) error {
	r.mu.Lock()
	a := r.answers[topic]
	if a != nil {
		a.users++
	}
	r.mu.Unlock()
	if a != nil {
		return nil
	}
	a = &answers{read: read, users: 1}
	var err error
	a.cancel, err = r.subscribe(topic, func(_ context.Context, m mqttlink.Message) { r.answer(m, a.read) })
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.answers[topic] = a
	r.mu.Unlock()
	return nil
}

// subscribe is for handlers that wait for nothing.
func (r *Remote) subscribe(filter string, h mqttlink.Handler) (cancel func(), err error) {
	if link, ok := r.link.(mqttlink.Inline); ok {
		return link.SubscribeInline(filter, 1, h)
	}
	return r.link.Subscribe(filter, 1, h)
}

func (r *Remote) leave(topic string) {
	r.mu.Lock()
	a := r.answers[topic]
	a.users--
	last := a.users == 0
	if last {
		delete(r.answers, topic)
	}
	r.mu.Unlock()
	if last {
		a.cancel()
	}
}

// answer finds out whose answer a message is.
func (r *Remote) answer(m mqttlink.Message, read Reader) {
	if m.Retain {
		return // what the broker has kept answers nothing
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.waiting
	if w != nil && w.action.Answer == m.Topic {
		read = w.action.Read
	} else {
		w = nil
	}
	values, err := read(m.Payload)
	if err != nil {
		r.stats.Unread++
		r.said.Say(slog.LevelWarn, "unread "+m.Topic, "answer ignored", "topic", m.Topic, "err", err)
		return
	}
	switch {
	case w != nil && r.mine(w, values):
		r.waiting, r.answered = nil, time.Now()
		if w.action.Unique {
			r.unique = remember(r.unique, maps.Clone(values))
		}
		w.answer <- values
	case has(r.foreign, values): // its caller has it
	case has(r.unique, values):
		r.stats.Second++
		r.said.Say(slog.LevelWarn, "second "+m.Topic, "another answer to a command that had one; it is attributed to no command", "topic", m.Topic)
	case r.isLate(values):
		r.stats.Late++
		r.said.Say(slog.LevelWarn, "late "+m.Topic, "answer after its time-out; it is attributed to no command", "topic", m.Topic)
		if r.came != nil {
			close(r.came)
		}
		r.late, r.came = time.Time{}, nil
	case w == nil && time.Since(r.answered) < secondWithin:
		r.stats.Second++
		r.said.Say(slog.LevelWarn, "second "+m.Topic, "another answer to a command that had one; it is attributed to no command", "topic", m.Topic)
	default:
		r.stats.Other++
		r.said.Say(slog.LevelDebug, "other "+m.Topic, "answer to another client's command", "topic", m.Topic)
	}
}

// mine reports whether an answer is that to the command in flight. The lock is held.
func (r *Remote) mine(w *waiting, values map[string]any) bool {
	echo, there := values[w.action.Token]
	switch {
	case w.action.Token == "" || w.token == "" && !there:
		return !has(r.foreign, values) && !has(r.unique, values)
	case there:
		r.echoes = r.echoes || echo == w.token
		return echo == w.token // never, if ours has none: it answers another client's
	}
	return !w.action.Echoes && !r.echoes && !has(r.foreign, values)
}

func (r *Remote) isLate(values map[string]any) bool {
	for _, token := range r.expired {
		for _, v := range values {
			if v == token {
				return true
			}
		}
	}
	return time.Now().Before(r.late)
}

// has reports whether an answer is one of a list.
func has(list []map[string]any, values map[string]any) bool {
	for _, f := range list {
		same := len(f) > 0
		for key, v := range f {
			text, ok := v.(string) // an answer that repeats itself says nothing
			same = same && ok && values[key] == text
		}
		if same {
			return true
		}
	}
	return false
}

// ask sends a command and waits for its answer.
func (r *Remote) ask(ctx context.Context, a Action, qos byte, message []byte, token string) (map[string]any, error) {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { r.turn <- struct{}{} }()
	w := &waiting{a, token, make(chan map[string]any, 1)}
	if token == "" || !a.Echoes {
		r.settle(ctx)
	}
	r.mu.Lock()
	r.waiting = w
	r.mu.Unlock()
	if err := r.send(ctx, a, qos, message); err != nil {
		r.giveUp(w, false)
		return nil, err
	}
	select {
	case values := <-w.answer:
		return values, nil
	case <-ctx.Done():
		r.giveUp(w, true)
		return nil, ctx.Err()
	}
}

// settle waits for the answer to an abandoned command, for half of its own
// time at most.
func (r *Remote) settle(ctx context.Context) {
	r.mu.Lock()
	wait := time.Until(r.late)
	if wait > 0 && r.came == nil {
		r.came = make(chan struct{})
	}
	came := r.came
	r.mu.Unlock()
	if wait <= 0 {
		return
	}
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/2)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-came:
	case <-timer.C:
	case <-ctx.Done():
	}
	r.mu.Lock()
	r.late, r.came = time.Time{}, nil
	r.mu.Unlock()
}

// giveUp ends the wait for an answer that may still come.
func (r *Remote) giveUp(w *waiting, sent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting != w {
		return // the answer came at the same moment
	}
	r.waiting = nil
	if sent {
		r.late = time.Now().Add(lateGrace)
		if w.token != "" {
			r.expired = remember(r.expired, w.token)
		}
	}
}

// send publishes a command. It lives as long as a caller waits for its effect: a
// picture asked for before the network failed is of no use an hour later. One that
// the broker is to keep lives on: with a life the broker would forget it, too
// (MQTT 5.0, section 3.3.2.3.3).
func (r *Remote) send(ctx context.Context, a Action, qos byte, message []byte) error {
	m := mqttlink.Message{Topic: a.Topic, QoS: qos, Payload: message, Retain: a.Retain}
	if deadline, ok := ctx.Deadline(); ok && !a.Retain {
		m.Expiry = max(time.Until(deadline), time.Millisecond)
	}
	if err := r.link.Publish(ctx, m); !mqttlink.Accepted(err) {
		return err
	}
	return nil
}

// Described is a Remote under a description. It is the broker carrier of package
// flow, whose Device it implements: every event is a message that the thing sent,
// every action one to it.
type Described struct {
	r       *Remote
	model   Model
	group   string
	qos     byte
	listens []string // topics of answers
}

// Close ends the subscriptions to answers. Watches end by themselves.
func (d *Described) Close() error {
	for _, topic := range d.listens {
		d.r.leave(topic)
	}
	d.listens = nil
	return nil
}

// Watch implements [device.Actor].
func (d *Described) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	e, ok := device.Named(d.model.Events, event)
	if !ok {
		return nil, fmt.Errorf("thing %s has no event %q", d.r.thing, event)
	}
	filter := e.Topic
	if d.group != "" {
		filter = "$share/" + d.group + "/" + e.Topic
	}
	return d.r.subscribe(filter, func(_ context.Context, m mqttlink.Message) {
		if m.Retain {
			return // what was the case once is no event
		}
		values, err := e.Read(m.Payload)
		if err != nil {
			d.r.mu.Lock()
			d.r.stats.Unread++
			d.r.said.Say(slog.LevelWarn, m.Topic, "event ignored", "topic", m.Topic, "err", err)
			d.r.mu.Unlock()
			return
		}
		fn(values, EventTime(values, e.TimeKey))
	})
}

// Call implements [device.Actor].
func (d *Described) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	a, ok := device.Named(d.model.Actions, action)
	if !ok {
		return nil, fmt.Errorf("thing %s has no action %q", d.r.thing, action)
	}
	message, err := a.Request(input)
	if err != nil {
		return nil, fmt.Errorf("%s on %s: %w", action, d.r.thing, err)
	}
	if a.Answer == "" {
		return nil, d.r.send(ctx, a, d.qos, message)
	}
	token := ""
	if d.group != "" && a.Token != "" {
		var b [12]byte
		rand.Read(b[:])
		token = hex.EncodeToString(b[:])
		if message, err = withToken(message, a.Token, token); err != nil {
			return nil, fmt.Errorf("%s on %s: %w", action, d.r.thing, err)
		}
	}
	values, err := d.r.ask(ctx, a, d.qos, message, token)
	if err != nil {
		return nil, err
	}
	if token != "" {
		delete(values, a.Token) // it is nothing that a flow should see
	}
	return values, nil
}
