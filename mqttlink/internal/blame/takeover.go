package blame

import "time"

const (
	// kickedWithin is how soon after CONNECT a session ends that another client takes over;
	// once that client is recognised, within KickedStill.
	kickedWithin = 10 * time.Second
	KickedStill  = 5 * time.Minute
	kicksNamed   = 5

	// The pauses while another client uses the id: from kickPause, doubled, to
	// kickPauseMost. The first are short: a broker that is restarted again and again looks
	// alike.
	kickPause     = 4 * time.Second
	kickPauseMost = 5 * time.Minute
)

// Named reports whether another client with the client id has been recognised.
func (s *State) Named() bool { return s.kicks >= kicksNamed }

// NoBroker notes an attempt that found no broker: then it was the broker's own end that
// ended the sessions before.
func (s *State) NoBroker() { s.kicks = 0 }

// Held notes that a session has held for KickedStill: no other client uses the client id
// any more.
func (s *State) Held() { s.kicks = 0 }

// Pause returns how long to wait before the next attempt because another client uses the
// id; 0 if none does.
func (s *State) Pause() time.Duration {
	if !s.Named() {
		return 0
	}
	most := min(kickPause<<min(s.kicks-kicksNamed, 8), kickPauseMost)
	return most/2 + s.o.Random(most/2)
}
