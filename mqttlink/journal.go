package mqttlink

import (
	"context"
	"log/slog"
	"strings"
)

// journal logs the connection's beginnings and ends: a loss once, and that another client
// uses the client id once.
type journal struct {
	*base
	queue     *queue
	unsaid    bool // the log's last word is that there is no connection
	takenOver bool // the log has reported that another client uses the id, and not that it has ended
}

// connected logs that a session has begun, as often as the losses are logged, so that the
// last line is never the wrong one.
func (j *journal) connected(ctx context.Context) {
	level := slog.LevelDebug
	if j.unsaid && !j.takenOver {
		level, j.unsaid = slog.LevelInfo, false
	}
	j.o.Log.Log(ctx, level, "connected", "endpoint", j.endpoint.String(), "client_id", j.o.ClientID, "queued", j.queue.box.Len())
}

// lost logs and keeps why a session ended or could not begin.
func (j *journal) lost(err error) {
	line, kind := Explain(err), kindOf(err)
	j.counts.add(func(s *Stats) { s.LastError = line })
	args := []any{"err", line, "kind", string(kind), "queued", j.queue.box.Len()}
	if kind != TakenOver {
		if j.quiet.Say(slog.LevelWarn, string(kind)+steady(line), "no connection", args...) {
			j.unsaid = true
		}
		return
	}
	j.counts.add(func(s *Stats) { s.TakenOver = true })
	level := slog.LevelDebug
	if !j.takenOver {
		level, j.takenOver, j.unsaid = slog.LevelError, true, true
	}
	j.o.Log.Log(context.Background(), level, "no connection", args...)
}

// held notes that a session has held for so long that no other client uses the client id.
func (j *journal) held() {
	if !j.takenOver {
		return
	}
	j.counts.add(func(s *Stats) { s.TakenOver = false })
	j.takenOver, j.unsaid = false, false
	j.o.Log.Info("connected: the client id is no longer taken over", "endpoint", j.endpoint.String(), "client_id", j.o.ClientID)
}

// steady removes digits, so that lines which differ in a time only are the same to the log.
func steady(line string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, line)
}
