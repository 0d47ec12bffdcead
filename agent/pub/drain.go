package pub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pithings/agent/control"
	"pithings/agent/state"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
)

// Progress is how far a drain has come.
type Progress struct {
	Left      int
	Delivered int           // since it began
	Since     time.Duration // it began
	Trouble   string        // why nothing is delivered now, if nothing is
}

// progressEvery is how often progress is told.
const progressEvery = 500 * time.Millisecond

// Drain delivers what is in the outboxes of the state folder, and returns nil when
// they are empty. If another process owns the folder it waits until that has
// delivered all. ctx bounds it.
func Drain(ctx context.Context, o Options, tell func(Progress)) error {
	s := state.Folder{Dir: o.State}
	err := s.Own()
	if errors.Is(err, state.ErrInUse) {
		return watchDrain(ctx, &o, &s, tell)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	queues, err := s.Queues()
	if err != nil {
		return err
	}
	for _, q := range queues {
		if o.Link.ClientID != "" && q.ClientID != o.Link.ClientID {
			continue
		}
		if err := drainOne(ctx, o, q, tell); err != nil {
			return err
		}
	}
	return nil
}

// drainOne delivers what is in one outbox.
func drainOne(ctx context.Context, o Options, q state.Queue, tell func(Progress)) (err error) {
	box, err := outbox.Open(q.Dir, outbox.DiskOptions{Log: o.Log, Now: o.Link.Clock.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	if box.Len() == 0 {
		return nil
	}
	o.Link.ClientID = q.ClientID
	link, err := newLink(&o.Link, box, q.Dir, o.Log)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { _ = link.Run(running) })
	wg.Go(func() { _ = o.Link.Clock.Run(running) })

	emptied := make(chan error, 1)
	wg.Go(func() { emptied <- link.Flush(ctx) })
	m := meter{began: time.Now(), tell: tell}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-emptied:
			m.note(box.Len(), "")
			if err != nil {
				return notEmpty(box.Len(), troubleOf(link, o.Link.Clock), ctx)
			}
			return nil
		case <-tick.C:
			m.note(box.Len(), troubleOf(link, o.Link.Clock))
		}
	}
}

// troubleOf tells why nothing is delivered now, if nothing is.
func troubleOf(l *mqttlink.Link, c *clock.Clock) string {
	s := l.Stats()
	if s.LastError == "" && s.Waiting > 0 {
		return "they wait until this machine's clock is known to be right: " + c.Verdict().String()
	}
	return s.LastError
}

// watchDrain waits until the owner has delivered all.
func watchDrain(ctx context.Context, o *Options, s *state.Folder, tell func(Progress)) error {
	client := control.NewClient(s.Socket())
	defer client.Close()
	m := meter{began: time.Now(), tell: tell}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		all, err := Connections(ctx, client)
		if err != nil && ctx.Err() == nil {
			return err
		}
		left, trouble := 0, ""
		for _, c := range all {
			if o.Link.ClientID != "" && c.ClientID != o.Link.ClientID {
				continue
			}
			left += c.Messages
			if c.Error != "" && c.Messages > 0 {
				trouble = c.Error
			}
		}
		if err == nil {
			if m.note(left, trouble); left == 0 {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return notEmpty(m.left, trouble, ctx)
		}
	}
}

// NotEmptyError says that messages were not delivered in time.
type NotEmptyError struct {
	Left    int
	Trouble string
}

// Error tells how many, and what stood in the way.
func (e *NotEmptyError) Error() string {
	if e.Trouble == "" {
		return fmt.Sprintf("%d messages are not delivered yet", e.Left)
	}
	return fmt.Sprintf("%d messages are not delivered yet: %s", e.Left, e.Trouble)
}

func notEmpty(left int, trouble string, ctx context.Context) error {
	if left == 0 {
		return context.Cause(ctx)
	}
	return &NotEmptyError{left, trouble}
}

// meter makes progress of counts.
type meter struct {
	began     time.Time
	tell      func(Progress)
	left      int
	delivered int
	noted     bool
}

func (m *meter) note(left int, trouble string) {
	if m.noted && left < m.left {
		m.delivered += m.left - left
	}
	m.noted, m.left = true, left
	if m.tell != nil {
		m.tell(Progress{Left: left, Delivered: m.delivered, Since: time.Since(m.began), Trouble: trouble})
	}
}
