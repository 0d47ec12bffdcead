package engine

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"pithings/flow"
)

// watchKey is one event of one thing. However many flows want it, the thing is
// watched once.
type watchKey struct {
	device flow.Device
	event  string
}

// watch spreads an event among the triggers that want it.
type watch struct {
	key  watchKey
	stop func()
	subs atomic.Pointer[[]*subscription] // changed under the engine's lock, by copying
}

// subscription is a trigger that waits for an event.
type subscription struct {
	d *deployed
	t *flow.Trigger
	w *watch
}

// watchAll subscribes the triggers of a deployment and makes its clocks. The
// engine's lock is held.
func (e *Engine) watchAll(d *deployed) error {
	for i := range d.d.Triggers {
		t := &d.d.Triggers[i]
		if !t.Every.IsZero() {
			d.clocks = append(d.clocks, newClock(d, t))
			continue
		}
		if t.Event == nil {
			continue // by hand
		}
		role := slices.IndexFunc(d.d.Things, func(b flow.Binding) bool { return b.Role == t.Event.Role })
		w, err := e.watch(watchKey{d.devices[role], t.Event.Name})
		if err != nil {
			return fmt.Errorf("trigger %s: %w", t.Name, err)
		}
		s := &subscription{d, t, w}
		d.subs = append(d.subs, s)
		subs := append(slices.Clone(*w.subs.Load()), s)
		w.subs.Store(&subs)
	}
	return nil
}

func (e *Engine) watch(key watchKey) (*watch, error) {
	if w := e.watches[key]; w != nil {
		return w, nil
	}
	w := &watch{key: key}
	w.subs.Store(new([]*subscription))
	stop, err := key.device.Watch(key.event, w.happened)
	if err != nil {
		return nil, err
	}
	w.stop = stop
	e.watches[key] = w
	return w, nil
}

// unwatch takes a deployment's triggers away, and stops to watch what nobody
// wants any more. The engine's lock is held.
func (e *Engine) unwatch(d *deployed) {
	for _, s := range d.subs {
		subs := slices.DeleteFunc(slices.Clone(*s.w.subs.Load()), func(o *subscription) bool { return o == s })
		s.w.subs.Store(&subs)
		if len(subs) == 0 && e.watches[s.w.key] == s.w {
			delete(e.watches, s.w.key)
			s.w.stop()
		}
	}
	d.subs = nil
}

// happened is called by the thing. It does not block.
func (w *watch) happened(values map[string]any, at time.Time) {
	for _, s := range *w.subs.Load() {
		s.happened(values, at)
	}
}

func (s *subscription) happened(values map[string]any, at time.Time) {
	maxAge := s.t.Event.MaxAge
	if maxAge == 0 {
		maxAge = flow.DefaultMaxAge
	}
	if !at.IsZero() && maxAge > 0 && time.Since(at) > maxAge {
		s.count(func(r *runner) { r.tooOld() })
		return
	}
	o := &occasion{d: s.d, trigger: s.t.Name, at: at, event: values}
	if when := s.t.Event.When; when != nil {
		ok, err := when.True(o)
		if err != nil {
			s.count(func(r *runner) { r.wrong(s.t.Name, err) })
			return
		}
		if !ok {
			return
		}
	}
	_ = fire(o, s.t) // it is counted and logged
}

// count has the flows that a trigger starts count something.
func (s *subscription) count(fn func(*runner)) {
	for _, start := range s.t.Start {
		fn(s.d.runner(start.Flow))
	}
}

// fire starts what a trigger starts.
func fire(o *occasion, t *flow.Trigger) (first error) {
	for i := range t.Start {
		r := o.d.runner(t.Start[i].Flow)
		s, err := r.bind(o, t.Start[i].Args)
		if err != nil {
			r.wrong(t.Name, err)
			if first == nil {
				first = err
			}
			continue
		}
		r.start(s)
	}
	return first
}

// occasion is what sets off a trigger, and what its expressions see.
type occasion struct {
	d       *deployed
	trigger string
	at      time.Time
	event   flow.Values // nil without an event
}

// Lookup implements expr.Scope.
func (o *occasion) Lookup(name string) (any, bool) {
	switch name {
	case "event":
		if o.event == nil {
			return nil, true
		}
		return o.event, true
	case "value":
		return valueOf(o.event), true
	case "trigger":
		return o.trigger, true
	case "bindings":
		return o.d.bindings(), true
	}
	return nil, false
}

// valueOf is what Things Graph calls lastEvent.value.
func valueOf(event flow.Values) any {
	if event == nil {
		return nil
	}
	if v, ok := event["value"]; ok {
		return v
	}
	var only any
	n := 0
	for key, v := range event {
		if !strings.EqualFold(key, "time") && !strings.EqualFold(key, "timestamp") {
			only = v
			n++
		}
	}
	if n == 1 {
		return only
	}
	return event
}

func (d *deployed) bindings() []any {
	list := make([]any, len(d.d.Things))
	for i, b := range d.d.Things {
		list[i] = map[string]any{"name": b.Role, "deviceId": b.Thing}
	}
	return list
}

// device returns the thing of that role or name.
func (d *deployed) device(name string) (flow.Device, string, bool) {
	for i, b := range d.d.Things {
		if b.Role == name {
			return d.devices[i], b.Thing, true
		}
	}
	for i, b := range d.d.Things {
		if b.Thing == name {
			return d.devices[i], b.Thing, true
		}
	}
	return nil, "", false
}
