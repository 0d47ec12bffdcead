package engine

import (
	"time"

	"pithings/flow"
)

// nowValue is what expressions see as now, at a time of the machine's zone.
func nowValue(t time.Time) any {
	year, month, day := t.Date()
	return map[string]any{
		"year": int64(year), "month": int64(month), "day": int64(day),
		"hour": int64(t.Hour()), "minute": int64(t.Minute()), "second": int64(t.Second()),
		"weekday": flow.DayName(t.Weekday()),
		"date":    t.Format(time.DateOnly), "time": t.Format(time.TimeOnly),
		"unix": t.Unix(),
	}
}
