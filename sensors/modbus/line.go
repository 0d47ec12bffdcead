package modbus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"pithings/hw"
	"pithings/pulse"
)

// Lines are the ports of a process. Devices on one port share it: their requests wait for
// each other, in the order in which they were made. The zero value is ready to use.
type Lines struct {
	mu   sync.Mutex
	open map[string]*line // by Port.Device
}

// line is a port in use. What is not said to be otherwise belongs to who has the turn.
type line struct {
	port  Port
	board hw.Board
	users int           // guarded by Lines.mu
	turn  chan struct{} // has a token while it is free

	conn    exchanger // nil while it is not open
	silence time.Duration
	last    time.Time // of the last frame
	refused error     // why it could not be opened last
	until   time.Time // it is not tried before
	left    bool      // nothing uses it any more
}

// take returns the line of a port, which its first user describes.
func (l *Lines) take(board hw.Board, port Port) *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.open[port.Device]
	if one == nil {
		one = &line{port: port, board: board, turn: make(chan struct{}, 1)}
		one.turn <- struct{}{}
		if l.open == nil {
			l.open = map[string]*line{}
		}
		l.open[port.Device] = one
	}
	one.users++
	return one
}

// leave closes a line that nothing uses any more.
func (l *Lines) leave(one *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users > 0 {
		return
	}
	delete(l.open, one.port.Device)
	<-one.turn // from a request that is under way
	one.left = true
	one.close()
	one.turn <- struct{}{}
}

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close() // what it has sent is answered, or not
		l.conn = nil
	}
}

// The rests after a failure are four times as long as what it cost, so that who does not
// answer takes a fifth of a port's time, and healing is noticed soon.
const (
	restFactor  = 4
	leastRest   = time.Second
	longestRest = 30 * time.Second
)

// unreachable is the error of a port that cannot be opened, which asking again does not
// change.
type unreachable struct{ error }

func (e *unreachable) Unwrap() error { return e.error }

// with calls f for the one who has the port for itself, and opens it if need be.
func (l *line) with(ctx context.Context, wait time.Duration, f func() error) error {
	if err := l.wait(ctx); err != nil {
		return err
	}
	defer func() { l.turn <- struct{}{} }()
	if ctx.Err() != nil { // both were the case
		return context.Cause(ctx)
	}
	if l.left { // while this waited
		return errClosed
	}
	if l.conn == nil {
		if err := l.connect(ctx, wait); err != nil {
			return err
		}
	}
	return f()
}

// wait waits for the turn. That takes as long as the requests of others, of which each has its
// limit: the loop in ctx is not stuck.
func (l *line) wait(ctx context.Context) error {
	defer pulse.Of(ctx).Rest()()
	select {
	case <-l.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// connect opens the port, unless it could not be opened a moment ago.
func (l *line) connect(ctx context.Context, wait time.Duration) error {
	begin := time.Now()
	if begin.Before(l.until) {
		return l.refused
	}
	opening, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no connection within %v", wait))
	defer cancel()
	conn, silence, err := l.port.open(opening, l.board)
	if err == nil {
		l.conn, l.silence, l.refused = conn, silence, nil
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	now := time.Now()
	l.refused = &unreachable{err}
	l.until = now.Add(min(max(restFactor*now.Sub(begin), leastRest), longestRest))
	return l.refused
}

// ask sends a request to a unit and returns the data of its answer. wait is how long the
// device may take, pause how long the line is to be silent before. It moves the loop in ctx:
// a reading of many requests may take minutes. Within [line.with] only.
func (l *line) ask(ctx context.Context, unit byte, q *request, wait, pause time.Duration) (data []byte, err error) {
	defer pulse.Of(ctx).Move()
	if l.conn == nil { // lost by the request before
		if err := l.connect(ctx, wait); err != nil {
			return nil, err
		}
	}
	if err := sleep(ctx, time.Until(l.last.Add(max(pause, l.silence)))); err != nil {
		return nil, err
	}
	conn := l.conn
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // fails for a closed one only
	})
	pdu, err := conn.exchange(ctx, unit, q, wait)
	if !stop() {
		<-ended // it must not end the next request's wait
	}
	l.last = time.Now()
	if err == nil {
		data, err = q.check(pdu)
	}
	if !usable(err) && ctx.Err() == nil {
		l.close()
	}
	return data, err
}

// sleep waits; it returns why ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
