package mqttlink

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Two clients with the same id kick each other: the broker closes the connection
// of the one when the other connects, which then comes back at once. Neither is
// told why. What shows it is that sessions end soon after connecting, again and
// again, with nothing on its way that could be the reason.

const (
	// kickedWithin is how soon after connecting a session ends that another client
	// takes over; once it is recognised, within kickedStill.
	kickedWithin = 10 * time.Second
	kickedStill  = 5 * time.Minute
	kicksNamed   = 5

	// The pauses while another client uses the id: from kickPause, doubled, to
	// kickPauseMost. The first are short: a broker that is restarted again and again
	// looks alike.
	kickPause     = 4 * time.Second
	kickPauseMost = 5 * time.Minute
)

// named reports whether another client has been recognised.
func (t *trial) named() bool { return t.kicks >= kicksNamed }

// away notes an attempt that found no broker: then it was the broker that ended
// the sessions before.
func (t *trial) away(err error) {
	var f *Fault
	if errors.As(err, &f) && (f.Kind == Refused || f.Kind == Unreachable) {
		t.kicks = 0
	}
}

// noteTakenOver tells once that another client uses the client id.
func (l *Link) noteTakenOver(line string) {
	l.count(func(s *Stats) { s.TakenOver = true })
	level := slog.LevelDebug
	if !l.takenOver {
		level, l.takenOver, l.untold = slog.LevelError, true, true
	}
	l.o.Log.Log(context.Background(), level, "no connection", "reason", line, "kind", string(TakenOver), "queued", l.box.Len())
}

// noteHeld notes that a session has held for so long that no other client uses the
// client id any more.
func (l *Link) noteHeld() {
	l.trial.kicks = 0
	if !l.takenOver {
		return
	}
	l.count(func(s *Stats) { s.TakenOver = false })
	l.takenOver, l.untold = false, false
	l.o.Log.Info("connected: the client id is no longer taken over", "endpoint", l.endpoint.String(), "client_id", l.o.ClientID)
}

// pause returns how long to wait because another client uses the id; 0 if none does.
func (t *trial) pause() time.Duration {
	if !t.named() {
		return 0
	}
	most := min(kickPause<<min(t.kicks-kicksNamed, 8), kickPauseMost)
	return most/2 + rand.N(most/2)
}
