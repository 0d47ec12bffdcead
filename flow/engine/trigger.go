package engine

import (
	"log/slog"
	"time"

	"pithings/flow"
)

// trigger is a trigger of an active deployment, with the flows that it starts.
type trigger struct {
	s     *scene
	t     *flow.Trigger
	flows []*runner // of t.Start
}

// now is an occasion without an event.
func (t *trigger) now(at time.Time) *occasion { return t.happened(at, nil) }

// happened is the occasion of an event.
func (t *trigger) happened(at time.Time, event flow.Values) *occasion {
	return &occasion{s: t.s, trigger: t.t.Name, at: at, event: event}
}

// fire starts what a trigger starts. An error is counted and logged.
func (t *trigger) fire(o *occasion) (first error) {
	for i, r := range t.flows {
		s, err := r.bind(o, t.t.Start[i].Args)
		if err != nil {
			r.wrong(t.t.Name, err)
			if first == nil {
				first = err
			}
			continue
		}
		r.start(s)
	}
	return first
}

// wrong has the flows count that the trigger could not be computed.
func (t *trigger) wrong(err error) {
	for _, r := range t.flows {
		r.wrong(t.t.Name, err)
	}
}

// tooOld has the flows count that an event came too late.
func (t *trigger) tooOld() {
	for _, r := range t.flows {
		r.tooOld()
	}
}

// logRare logs what may come again and again with a trigger.
func (t *trigger) logRare(what, message string, args ...any) {
	t.s.repeats.Say(slog.LevelInfo, t.s.d.Name+"\x00"+t.t.Name+"\x00"+what, message, append([]any{"deployment", t.s.d.Name, "trigger", t.t.Name}, args...)...)
}
