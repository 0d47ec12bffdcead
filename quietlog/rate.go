package quietlog

import "time"

// Rate bounds lines that are no log: burst of them at once, and then so many a second.
// It belongs to one goroutine at a time.
type Rate struct {
	burst, perSecond float64
	tokens           float64
	filled           time.Time
	left             int
}

// NewRate returns a Rate.
func NewRate(burst, perSecond int) *Rate {
	return &Rate{burst: float64(burst), perSecond: float64(perSecond), tokens: float64(burst)}
}

// Pass reports whether a line may be written now.
func (r *Rate) Pass(now time.Time) bool {
	if !r.filled.IsZero() {
		r.tokens = min(r.burst, r.tokens+r.perSecond*now.Sub(r.filled).Seconds())
	}
	r.filled = now
	if r.tokens < 1 {
		r.left++
		return false
	}
	r.tokens--
	return true
}

// LeftOut returns how many lines did not pass since it was called last.
func (r *Rate) LeftOut() (n int) {
	n, r.left = r.left, 0
	return n
}
