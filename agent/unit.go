package agent

import "context"

// unit is something that runs until it is ended.
type unit struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func begin(ctx context.Context, run func(context.Context)) *unit {
	ctx, cancel := context.WithCancel(ctx)
	u := &unit{cancel, make(chan struct{})}
	go func() {
		defer close(u.done)
		defer cancel()
		run(ctx)
	}()
	return u
}

// askToEnd asks it to end, and does not wait; nil has not begun.
func (u *unit) askToEnd() {
	if u != nil {
		u.cancel()
	}
}

// end ends it and waits until it has ended; nil has not begun.
func (u *unit) end() {
	if u != nil {
		u.cancel()
		<-u.done
	}
}

// runs reports whether it has begun and not ended.
func (u *unit) runs() bool {
	if u == nil {
		return false
	}
	select {
	case <-u.done:
		return false
	default:
		return true
	}
}
