// Package history counts what it costs to read 90 days of a quantity on the processor of the
// smallest Pi: instructions of an emulated ARM1176, which no other program on the machine
// changes, beside those of encoding the same points as JSON.
//
//	go test -run '^$' -bench . -benchtime 1x ./test/bench/history
package history

import (
	"time"

	"pithings/history"
)

// Days is how many days are read, an hour a point.
const Days = 90

// Begin is when they begin.
var Begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Query asks for them.
func Query() history.Query {
	end := Begin.AddDate(0, 0, Days)
	return history.Query{From: Begin, To: end, Points: Days * 24, Now: end}
}
