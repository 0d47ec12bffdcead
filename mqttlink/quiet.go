package mqttlink

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quietLog writes a line that keeps coming again once, and then ever more
// rarely: after one minute, two, four … up to an hour. A line that has not come
// for ten minutes is news again. An hour without a network costs a handful of
// lines, not a line each attempt. And as lines may also be all different (their
// topics come from others), there are no more than so many in an hour.
type quietLog struct {
	log *slog.Logger

	mu     sync.Mutex
	lines  map[string]*quietLine
	budget bucket
	others int // lines held back since the last one because the budget was spent
}

type quietLine struct {
	last    time.Time     // when the line came last, written or not
	written time.Time     // when it was written last
	wait    time.Duration // how long it is held back after that
	held    int           // how often it was held back
}

const (
	quietFirst  = time.Minute
	quietMost   = time.Hour
	quietForget = 10 * time.Minute
	quietLines  = 64 // different lines remembered

	quietBurst = 20 // lines at once, and then
	quietEvery = 3 * time.Minute
)

func newQuietLog(log *slog.Logger) *quietLog {
	return &quietLog{
		log: log, lines: make(map[string]*quietLine),
		budget: bucket{rate: 1 / quietEvery.Seconds(), size: quietBurst, level: quietBurst},
	}
}

// say writes msg and args unless the same key came a short while ago, and
// reports whether it did.
func (q *quietLog) say(level slog.Level, key, msg string, args ...any) (written bool) {
	now := time.Now()
	q.mu.Lock()
	line := q.lines[key]
	if line != nil && now.Sub(line.last) > quietForget {
		line = nil
	}
	if line == nil {
		if len(q.lines) >= quietLines {
			q.forget(now)
		}
		line = new(quietLine)
		q.lines[key] = line
	}
	line.last = now
	if now.Sub(line.written) < line.wait { // has no wait if it is news
		line.held++
		q.mu.Unlock()
		return false
	}
	if q.budget.take(1, now) > 0 {
		line.held++
		q.others++
		q.mu.Unlock()
		return false
	}
	if line.held > 0 {
		args = append(args, "repeated", line.held)
	}
	if q.others > 0 {
		args = append(args, "held_back", q.others)
	}
	line.written, line.held, q.others = now, 0, 0
	line.wait = min(max(2*line.wait, quietFirst), quietMost)
	q.mu.Unlock()
	q.log.Log(context.Background(), level, msg, args...)
	return true
}

// forget makes room: the lines that are old, else all of them.
func (q *quietLog) forget(now time.Time) {
	for k, l := range q.lines {
		if now.Sub(l.last) > quietForget {
			delete(q.lines, k)
		}
	}
	if len(q.lines) >= quietLines {
		clear(q.lines)
	}
}
