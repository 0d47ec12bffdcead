package things

import (
	"context"
	"runtime/debug"
	"time"

	"pithings/mqttlink"
)

// switched is a change of the state.
type switched struct {
	on bool
	at time.Time
}

// tell has a change reported. o.mu is held.
func (o *Output) tell(on bool) {
	o.news = latestOf(append(o.news, switched{on, time.Now()}))
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// newsKept bounds the changes that wait for being reported; the last one always is.
const newsKept = 64

// latestOf returns the changes that are kept when the output is switched faster than the link
// takes reports.
func latestOf(news []switched) []switched { return news[max(0, len(news)-newsKept):] }

// reportAll reports changes until ctx is done.
func (o *Output) reportAll(ctx context.Context) {
	turns := o.loop(", reports")
	defer turns.End()
	ctx = turns.In(ctx)
	for {
		turns.Wait()
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
			turns.Work()
			o.contained(ctx)
		}
	}
}

// contained is publish without its panics: one of a receiver in this process must not end all,
// nor switch the output.
func (o *Output) contained(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			o.log.Error("internal error in a report; please report it", "thing", o.thing, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	o.publish(ctx)
}

// publish reports the changes that are not reported yet. One goroutine at a time does. What
// ctx interrupts is left for the next call.
func (o *Output) publish(ctx context.Context) {
	o.mu.Lock()
	news := o.news
	o.news = nil
	o.mu.Unlock()
	for i, change := range news {
		state := outputOff
		if change.on {
			state = outputOn
		}
		r := stateRecord(state).with(o.extra)
		err := o.send(ctx, o.message("state", change.at, r))
		if !mqttlink.Accepted(err) && ctx.Err() != nil {
			o.mu.Lock()
			o.news = latestOf(append(news[i:len(news):len(news)], o.news...))
			o.mu.Unlock()
			return
		}
		if !mqttlink.Accepted(err) {
			o.log.Error("state not published", "thing", o.thing, "err", err)
		}
		o.emit("state", change.at, r)
	}
}

// stateRecord is the state of an input or an output.
func stateRecord(state string) *record {
	return (&record{compact: true}).string("state", state)
}
