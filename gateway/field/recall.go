package field

import (
	"context"
	"slices"
	"time"

	"pithings/device"
	"pithings/gateway/collect"
)

// fresh is how old a reading may be that is one of now. Together with the sharing of those
// under way it bounds what scripts cost a bus: a thing is read ten times a second at most,
// however many scripts ask.
const fresh = 100 * time.Millisecond

// reading is a measurement that a recall has asked a thing for.
type reading struct {
	done  chan struct{} // closed when its values are taken
	ended time.Time     // zero before. Field.mu guards it
}

// Recall returns what is known of the variables that wanted chooses; nil: all of them.
func (f *Field) Recall(now time.Time, wanted func(*collect.Variable) bool) collect.Round {
	f.refresh(now, func(int) bool { return true })
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vars.Recall(now, wanted)
}

// RecallNow returns the values of the variables that wanted chooses, nil for all of them, after
// their things have measured anew. A thing that cannot be asked, or does not work, has what
// is known of it. Those who ask at the same time share a reading. An error is that of ctx.
func (f *Field) RecallNow(ctx context.Context, wanted func(*collect.Variable) bool) (collect.Round, error) {
	for _, r := range f.measure(wanted) {
		select {
		case <-r.done:
		case <-ctx.Done():
			return collect.Round{}, context.Cause(ctx)
		}
	}
	return f.Recall(time.Now(), wanted), nil
}

// measure asks the things of variables for a reading, each of them once.
func (f *Field) measure(wanted func(*collect.Variable) bool) (all []*reading) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := f.sources(wanted)
	for i := range f.o.Things {
		t := &f.o.Things[i]
		if reader, ok := t.Actor.(device.Reader); ok && slices.Contains(names, t.Name) && f.o.Up(t.Name) && f.ctx.Err() == nil {
			all = append(all, f.begin(t.Name, reader))
		}
	}
	return all
}

// sources are the things that variables are read from. What an expression computes may be made
// of any of them. f.mu is held.
func (f *Field) sources(wanted func(*collect.Variable) bool) (things []string) {
	computed := false
	var all []string
	for i := range f.infos {
		chosen := wanted == nil || wanted(f.vars.At(i).Variable)
		computed = computed || chosen && f.infos[i].compute != nil
		if t := f.infos[i].thing; t != "" {
			all = append(all, t)
			if chosen {
				things = append(things, t)
			}
		}
	}
	if computed {
		return all
	}
	return things
}

// begin returns the reading of a thing that is under way or is still one of now, or a new one.
// It has no time-out of its own: those who wait for it have theirs, and a thing that hangs is
// not asked once more. f.mu is held.
func (f *Field) begin(thing string, reader device.Reader) *reading {
	last := f.readings[thing]
	if last != nil && (last.ended.IsZero() || time.Since(last.ended) < fresh) {
		return last
	}
	now := &reading{done: make(chan struct{})}
	f.readings[thing] = now
	f.work.Go(func() {
		defer close(now.done)
		events, err := reader.Read(f.ctx)
		if err != nil && f.ctx.Err() == nil {
			f.o.Log.Debug("thing has taken no reading for a recall", "thing", thing, "err", err)
		}
		for _, e := range events {
			f.takeRead(e)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		now.ended = time.Now()
	})
	return now
}

// takeRead takes an event of a reading, unless the thing has reported something newer
// meanwhile.
func (f *Field) takeRead(e device.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.reads[source{e.Thing, e.Name}] {
		if value, found := e.Values[f.infos[i].key]; found && !f.vars.At(i).At.After(e.At) {
			f.set(i, value, e.At)
		}
	}
}
