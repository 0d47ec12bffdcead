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
// lines, not a line each attempt.
type quietLog struct {
	log *slog.Logger

	mu    sync.Mutex
	lines map[string]*quietLine
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
)

func newQuietLog(log *slog.Logger) *quietLog {
	return &quietLog{log: log, lines: make(map[string]*quietLine)}
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
	if line != nil {
		line.last = now
		if now.Sub(line.written) < line.wait {
			line.held++
			q.mu.Unlock()
			return false
		}
		if line.held > 0 {
			args = append(args, "repeated", line.held)
		}
		line.written, line.held = now, 0
		line.wait = min(2*line.wait, quietMost)
	} else {
		if len(q.lines) >= quietLines {
			q.forget(now)
		}
		q.lines[key] = &quietLine{last: now, written: now, wait: quietFirst}
	}
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
