package quietlog

import "time"

// policy says how many lines of one key pass.
type policy struct {
	first   float64       // lines that pass at once
	every   time.Duration // and then one in this time; 0: no more until forgotten
	pause   time.Duration // how long lines are held back at first
	longest time.Duration // pauses double up to this
	forget  time.Duration // a key that has not come for so long is new again
}

// gate decides for the lines of one key. It reads no clock: now is given.
//
//	open    lines pass while the bucket has tokens
//	closed  lines are counted until the pause is over
//
// The line that comes behind a pause, or sum if that is earlier, reports the count
// and begins the next pause, twice as long. A pause in which few lines were held
// back opens the gate again.
type gate struct {
	tokens float64
	filled time.Time     // when tokens was computed
	came   time.Time     // the last line, written or not
	since  time.Time     // the last line written; held counts from then on
	pause  time.Duration // 0: open
	held   int           // lines held back
}

// pass reports whether a line may be written now, and how many were held back
// before it.
func (g *gate) pass(p *policy, now time.Time) (repeated int, ok bool) {
	if g.came.IsZero() || now.Sub(g.came) > p.forget {
		g.open(p, now)
	}
	g.came = now
	if p.every > 0 {
		g.tokens = min(p.first, g.tokens+float64(now.Sub(g.filled))/float64(p.every))
		g.filled = now
	}
	if g.pause == 0 {
		if g.tokens >= 1 {
			g.tokens--
			return g.tell(now), true
		}
		g.pause = p.pause
	}
	if now.Sub(g.since) < g.pause {
		g.held++
		return 0, false
	}
	g.pause = min(2*g.pause, p.longest)
	return g.tell(now), true
}

func (g *gate) open(p *policy, now time.Time) {
	g.pause, g.tokens, g.filled = 0, p.first, now
}

// tell returns the count and begins a new one.
func (g *gate) tell(now time.Time) (repeated int) {
	repeated, g.held, g.since = g.held, 0, now
	return repeated
}

// due is when the pause is over, if something is held back.
func (g *gate) due() (at time.Time, ok bool) { return g.since.Add(g.pause), g.held > 0 }

// sum ends a pause: it returns how many lines were held back, and in what time.
func (g *gate) sum(p *policy, now time.Time) (repeated int, within time.Duration) {
	within = now.Sub(g.since)
	if p.every > 0 && float64(g.held) <= float64(within)/float64(p.every) {
		g.open(p, now)
	} else {
		g.pause = min(2*g.pause, p.longest)
	}
	return g.tell(now), within
}

// calm reports whether the gate can be forgotten.
func (g *gate) calm(p *policy, now time.Time) bool {
	return g.held == 0 && now.Sub(g.came) > p.forget
}
