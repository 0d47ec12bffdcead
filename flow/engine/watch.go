package engine

import (
	"slices"
	"sync/atomic"
	"time"

	"pithings/device"
	"pithings/flow"
)

// watches are the events that the triggers of all deployments want. The engine's lock is
// held by all who use them.
type watches map[watchKey]*watch

// watchKey is one event of one thing. However many flows want it, the thing is
// watched once.
type watchKey struct {
	device device.Actor
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
	*trigger
	w    *watch
	hold *hold // nil without for
}

// subscribe has an event start the trigger of a subscription.
func (all watches) subscribe(key watchKey, s *subscription) error {
	w := all[key]
	if w == nil {
		w = &watch{key: key}
		w.subs.Store(new([]*subscription))
		stop, err := key.device.Watch(key.event, w.happened)
		if err != nil {
			return err
		}
		w.stop = stop
		all[key] = w
	}
	s.w = w
	subs := append(slices.Clone(*w.subs.Load()), s)
	w.subs.Store(&subs)
	return nil
}

// remove takes subscriptions away, and stops to watch what no trigger wants any more.
func (all watches) remove(subs []*subscription) {
	for _, s := range subs {
		left := slices.DeleteFunc(slices.Clone(*s.w.subs.Load()), func(o *subscription) bool { return o == s })
		s.w.subs.Store(&left)
		if len(left) == 0 && all[s.w.key] == s.w {
			delete(all, s.w.key)
			s.w.stop()
		}
	}
}

// happened is called by the thing. It does not block.
func (w *watch) happened(values map[string]any, at time.Time) {
	for _, s := range *w.subs.Load() {
		s.heard(values, at)
	}
}

func (s *subscription) heard(values map[string]any, at time.Time) {
	maxAge := s.t.Event.MaxAge
	if maxAge == 0 {
		maxAge = flow.DefaultMaxAge
	}
	if !at.IsZero() && maxAge > 0 && time.Since(at) > maxAge {
		s.tooOld()
		return
	}
	o := s.happened(at, values)
	if when := s.t.Event.When; when != nil {
		ok, err := when.True(o)
		if err != nil {
			s.wrong(err)
			return
		}
		if s.hold != nil {
			s.hold.looked(o, ok)
			return
		}
		if !ok {
			return
		}
	}
	_ = s.fire(o) // it is counted and logged
}
