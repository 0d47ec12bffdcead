package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestNow: what expressions see as now is the machine's own time, of a zone that is half
// an hour and a day beside UTC, on both sides of its midnight. The bubble's time begins on
// 1 January 2000 at 00:00 UTC, a Saturday.
func TestNow(t *testing.T) {
	defer func(local *time.Location) { time.Local = local }(time.Local)
	time.Local = time.FixedZone("NST", -(3*60+30)*60) // Newfoundland: 20:30 on Friday
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.deploy(`name: X
steps:
  - {name: Tell, thing: phone, action: tell, input: {at: "${now.date} ${now.time} ${now.weekday}", minutes: "${now.hour * 60 + now.minute}"}}
`)
		h.deploy(`name: Late
trigger: {thing: phone, event: StateChanged, when: now.weekday == "fri" && now.minute == 59 && now.date == "1999-12-31"}
steps:
  - {name: Late, thing: phone, action: late}
`)
		for _, pass := range []time.Duration{0, 3*time.Hour + 29*time.Minute + 59*time.Second, time.Second, 23*time.Hour + 59*time.Minute} {
			sleep(pass)
			h.start("X")
			synctest.Wait()
			h.happens("n", 1)
		}
		h.want(
			"01-01 00:00:00 tell[at:1999-12-31 20:30:00 fri minutes:1230]",
			"01-01 03:29:59 tell[at:1999-12-31 23:59:59 fri minutes:1439]", "01-01 03:29:59 late",
			"01-01 03:30:00 tell[at:2000-01-01 00:00:00 sat minutes:0]",
			"01-02 03:29:00 tell[at:2000-01-01 23:59:00 sat minutes:1439]",
		)
	})
}
