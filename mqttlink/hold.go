package mqttlink

import (
	"context"
	"fmt"
	"log/slog"
)

// Hold holds the link, or lets it go: as long as it is held, what is published waits in the outbox
// as through an outage, within the same limits, and no handler gets messages. The connection
// stays, with its birth, close and will, and so does what uses Past. At most one message that is
// just being sent is sent all the same.
func (l *Link) Hold(hold bool) {
	if l.holding.Swap(hold) != hold && !hold {
		l.queue.wake()
	}
}

// Past returns the link for those who work while it is held, too: what they publish then is sent
// past the outbox, or refused if there is no connection, and their handlers get messages. While
// the link is not held it is the link.
func (l *Link) Past() Client { return past{l} }

type past struct{ *Link }

// Subscribe implements Client.
func (p past) Subscribe(filter string, qos byte, h Handler) (cancel func(), err error) {
	return p.subs.subscribe([]string{filter}, qos, h, false)
}

// SubscribeAll implements Client.
func (p past) SubscribeAll(filters []string, qos byte, h Handler) (cancel func(), err error) {
	return p.subs.subscribe(filters, qos, h, false)
}

// SubscribeInline implements Inline.
func (p past) SubscribeInline(filter string, qos byte, h Handler) (cancel func(), err error) {
	return p.subs.subscribe([]string{filter}, qos, h, true)
}

// Publish implements Client.
func (p past) Publish(ctx context.Context, m Message) error {
	if !p.holding.Load() {
		return p.Link.Publish(ctx, m)
	}
	if err := p.takes(ctx, m); err != nil {
		return err
	}
	ctx, stop := context.WithTimeoutCause(ctx, p.o.AckTimeout, ErrUnqueued)
	defer stop()
	s := p.session(ctx)
	if !p.pass() {
		return ErrEnded
	}
	defer p.passing.Done()
	if s == nil || !s.subs.waitSettled() {
		return fmt.Errorf("publish to %s: %w", m.Topic, ErrUnqueued)
	}
	if err := s.sendPast(ctx, &m); err != nil {
		return fmt.Errorf("publish to %s: %w", m.Topic, err)
	}
	p.counts.add(func(s *Stats) { s.Accepted, s.Acked = s.Accepted+1, s.Acked+1 })
	p.passes(false, &m)
	if m.Delivered != nil {
		m.Delivered()
	}
	return nil
}

// pass counts a message that goes past the outbox, unless the link is closed. The lock is not held
// while it is sent, or the end of Run would wait for a broker that does not answer.
func (l *Link) pass() bool {
	l.publishing.RLock()
	defer l.publishing.RUnlock()
	if !l.closed {
		l.passing.Add(1)
	}
	return !l.closed
}

// awaitPast implements owner.
func (l *Link) awaitPast(ctx context.Context) {
	all := make(chan struct{})
	go func() { // no longer than the session
		l.passing.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-ctx.Done():
	}
}

// session returns the sender of the session that runs, once its birth message is done; nil: there
// is no connection.
func (l *Link) session(ctx context.Context) *sender {
	for {
		l.beginning.Lock()
		began := l.began
		l.beginning.Unlock()
		if s := l.current.Load(); s != nil || !l.Connected() {
			return s
		}
		select {
		case <-began:
		case <-ctx.Done():
			return nil
		}
	}
}

// sendPast gives a message to the network past the outbox, and waits until the broker has it.
func (s *sender) sendPast(ctx context.Context, m *Message) error {
	receipt := s.conn.Publish(packetOf(m))
	select {
	case <-receipt.Done():
		return receipt.Err()
	case <-s.ended:
		return ErrUnqueued
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unlessHeld is a handler that gets no messages while the link is held.
func (l *Link) unlessHeld(h Handler) Handler {
	if h == nil {
		return nil
	}
	return func(ctx context.Context, m Message) {
		if l.holding.Load() {
			l.quiet.Say(slog.LevelInfo, "held", "messages are ignored while the connection is held", "topic", short(m.Topic))
			return
		}
		h(ctx, m)
	}
}
