package history

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Query is a range of a history.
type Query struct {
	From, To time.Time // To is not in it
	// Points is in how many parts the range is divided, each with the minimum, mean and maximum
	// of its readings; 0: as the file has them.
	Points int
	Now    time.Time // decides what the finer tiers still have
}

// MaxPoints bounds Query.Points: more than the hours of 90 days, in 128 KiB of memory.
const MaxPoints = 3000

// DefaultPoints are those of a chart.
const DefaultPoints = 500

// Check reports what cannot be asked.
func (q *Query) Check() error {
	switch {
	case q.From.Unix() < 0 || q.To.Unix() > latestSecond:
		return errors.New("the history has no times before 1970 or after 9999")
	case !q.From.Before(q.To):
		return fmt.Errorf("the range of the history is empty: %s is not before %s", q.From.UTC().Format(time.RFC3339), q.To.UTC().Format(time.RFC3339))
	case q.Points < 0 || q.Points > MaxPoints:
		return fmt.Errorf("%d points of a history: at most %d can be asked for", q.Points, MaxPoints)
	}
	return nil
}

// plan is how a query is answered.
type plan struct {
	tier     tier
	step     int64 // seconds of a part
	from, to int64 // seconds; from is a multiple of step
}

// plan chooses the coarsest tier whose slots are not longer than a part, and of those that
// still have the beginning of the range.
func (q *Query) plan() plan {
	p := plan{from: q.From.Unix(), to: q.To.Unix()}
	if p.to == p.from || q.To.Nanosecond() > 0 {
		p.to++
	}
	if q.Points > 0 {
		p.step = (p.to - p.from + int64(q.Points) - 1) / int64(q.Points)
	}
	for t := range tier(tierCount) {
		if layouts[t].step <= p.step || p.tier < t && p.from < q.Now.Unix()-layouts[p.tier].keep {
			p.tier = t
		}
	}
	l := layouts[p.tier].step
	p.step = max(1, (p.step+l-1)/l) * l
	p.from -= p.from % p.step
	return p
}

// Row is a part of a range with the readings in it, or, with N 0, the beginning of a gap.
type Row struct {
	Second         int64 // since 1970, of the part's beginning
	N              uint32
	Min, Mean, Max float64
}

// rows calls yield for each part that has readings, and for each gap, until it returns false.
func (v *view) rows(p plan, yield func(Row) bool) error {
	var part sum
	var at, last int64 = -1, -1 // of the part; of the latest slot
	emit := func() bool {
		s := part
		part = sum{}
		return s.n == 0 || yield(Row{at, s.n, s.min, s.mean, s.max})
	}
	step := layouts[p.tier].step
	stopped := false
	err := v.scan(p.tier, p.from, p.to, func(second int64, s sum, usual uint32) bool {
		if b := second - second%p.step; b != at {
			before := at
			if !emit() {
				stopped = true
				return false
			}
			at = b
			if before >= 0 && b > before+p.step && 1000*(second-last) > max(int64(usual)*5/2, 1500*step) &&
				!yield(Row{Second: before + p.step}) {
				stopped = true
				return false
			}
		}
		part, last = part.merge(s), second
		return true
	})
	if err == nil && !stopped {
		emit()
	}
	return err
}

// ParseTime reads a time as people and programs give it: RFC 3339, a day, seconds since 1970, or
// how long before now (90m, 36h, 30d); without text it is other.
func ParseTime(text string, now, other time.Time) (time.Time, error) {
	if text == "" {
		return other, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36600 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 && n <= latestSecond {
		return time.Unix(n, 0), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%.40q is no time: give 2026-11-30T09:46:04Z, 2026-11-30, seconds since 1970, or how long ago as 90m, 36h or 30d", text)
}
