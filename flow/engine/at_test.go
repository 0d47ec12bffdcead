package engine

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/flow"
)

// TestMoments: when a moment of the day comes, by the rules of zones and dates.
func TestMoments(t *testing.T) {
	for _, tc := range []struct {
		name, at, days, zone, after string
		want                        []string
	}{
		{"a day", "07:00", "", "UTC", "2024-02-27 07:00:00 +0000", []string{"2024-02-28 07:00:00 +0000", "2024-02-29 07:00:00 +0000", "2024-03-01 07:00:00 +0000"}},
		{"no leap day", "00:00", "", "UTC", "2023-02-27 12:00:00 +0000", []string{"2023-02-28 00:00:00 +0000", "2023-03-01 00:00:00 +0000"}},
		{"workdays", "07:00", "workdays", "Europe/Berlin", "2024-11-29 08:00:00 +0100", []string{"2024-12-02 07:00:00 +0100", "2024-12-03 07:00:00 +0100"}},
		{"one day", "23:59:30", "sun", "America/New_York", "2024-11-29 08:00:00 -0500", []string{"2024-12-01 23:59:30 -0500", "2024-12-08 23:59:30 -0500"}},
		{"a zone ahead", "07:00", "mon", "Pacific/Auckland", "2024-12-01 12:00:00 +0000", []string{"2024-12-02 07:00:00 +1300"}},
		// Berlin, 31 March 2024: 02:00 is 03:00.
		{"a gap", "02:30", "", "Europe/Berlin", "2024-03-30 12:00:00 +0100", []string{"2024-03-31 03:00:00 +0200", "2024-04-01 02:30:00 +0200"}},
		{"the gap's first moment", "02:00", "", "Europe/Berlin", "2024-03-30 12:00:00 +0100", []string{"2024-03-31 03:00:00 +0200"}},
		{"the gap's end", "03:00", "", "Europe/Berlin", "2024-03-30 12:00:00 +0100", []string{"2024-03-31 03:00:00 +0200", "2024-04-01 03:00:00 +0200"}},
		// Berlin, 27 October 2024: 03:00 is 02:00 again.
		{"a repeated hour", "02:30", "", "Europe/Berlin", "2024-10-26 12:00:00 +0200", []string{"2024-10-27 02:30:00 +0200", "2024-10-28 02:30:00 +0100"}},
		{"its first moment", "02:00", "", "Europe/Berlin", "2024-10-26 12:00:00 +0200", []string{"2024-10-27 02:00:00 +0200", "2024-10-28 02:00:00 +0100"}},
		{"after it", "03:00", "", "Europe/Berlin", "2024-10-26 12:00:00 +0200", []string{"2024-10-27 03:00:00 +0100"}},
		{"New York, gap", "02:15", "", "America/New_York", "2024-03-09 12:00:00 -0500", []string{"2024-03-10 03:00:00 -0400"}},
		{"New York, repeated", "01:15", "", "America/New_York", "2024-11-02 12:00:00 -0400", []string{"2024-11-03 01:15:00 -0400", "2024-11-04 01:15:00 -0500"}},
		// Lord Howe moves its clocks by half an hour.
		{"half an hour of gap", "02:10", "", "Australia/Lord_Howe", "2024-10-05 12:00:00 +1030", []string{"2024-10-06 02:30:00 +1100"}},
		// Beirut's gap begins at midnight.
		{"a gap at midnight", "00:00", "", "Asia/Beirut", "2024-03-30 12:00:00 +0200", []string{"2024-03-31 01:00:00 +0300"}},
		// Samoa had no 30 December 2011.
		{"no such date", "07:00", "", "Pacific/Apia", "2011-12-29 12:00:00 -1000", []string{"2011-12-31 07:00:00 +1400"}},
		{"sunrise", "sunrise", "", "Europe/Berlin", "2024-06-20 12:00:00 +0200", []string{"2024-06-21 04:43:00 +0200"}},
		{"sunset", "sunset", "", "Europe/Berlin", "2024-06-20 12:00:00 +0200", []string{"2024-06-20 21:33:00 +0200", "2024-06-21 21:33:00 +0200"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := flow.ParseAt(tc.at)
			if err != nil {
				t.Fatal(err)
			}
			if tc.days != "" {
				if a.Days, err = flow.ParseWeekdays([]string{tc.days}); err != nil {
					t.Fatal(err)
				}
			}
			a.Zone, a.Lat, a.Lon = tc.zone, 52.52, 13.405
			loc, err := a.Location()
			if err != nil {
				t.Fatalf("%v: this test needs the package tzdata", err)
			}
			const layout = "2006-01-02 15:04:05 -0700"
			after, err := time.Parse(layout, tc.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				at, ok := nextMoment(&a, loc, after)
				got := at.In(loc).Format(layout)
				if a.Sun != "" { // to two minutes; the package sun has the tables
					w, _ := time.Parse(layout, want)
					if at.Sub(w).Abs() > 2*time.Minute {
						t.Errorf("got %s, want %s", got, want)
					}
				} else if !ok || got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				after = at
			}
		})
	}
}

const morning = `name: X
trigger: {at: "07:00", zone: UTC}
steps:
  - {name: Ring, thing: bell, action: ring}
`

var catching = strings.Replace(morning, "zone: UTC", "zone: UTC, catch_up: 15m", 1)

// TestAt: a flow at a time of the day, with everything that can come between. The
// bubble's time begins on 1 January 2000 at 00:00 UTC.
func TestAt(t *testing.T) {
	for _, tc := range []struct {
		name string
		text string
		run  func(h *home, m *machine)
		want []string
	}{
		{"three days", morning, func(h *home, m *machine) {
			h.deploy(morning)
			sleep(72 * time.Hour)
		}, []string{"01-01 07:00:00", "01-02 07:00:00", "01-03 07:00:00"}},
		{"off at the time", morning, func(h *home, m *machine) {
			h.deploy(morning)
			sleep(6 * time.Hour)
			h.restart(false, 70*time.Minute, morning)
			sleep(24 * time.Hour)
		}, []string{"01-02 07:00:00"}},
		{"off at the time, to be made up", catching, func(h *home, m *machine) {
			h.deploy(catching)
			sleep(6 * time.Hour)
			h.restart(false, 70*time.Minute, catching)
			sleep(24 * time.Hour)
		}, []string{"01-01 07:10:00", "01-02 07:00:00"}},
		{"off for too long to be made up", catching, func(h *home, m *machine) {
			h.deploy(catching)
			sleep(6 * time.Hour)
			h.restart(false, 2*time.Hour, catching)
			sleep(20 * time.Hour)
		}, []string(nil)},
		{"made up once", catching, func(h *home, m *machine) {
			h.deploy(catching)
			sleep(6 * time.Hour)
			h.restart(true, 62*time.Minute, catching)
			sleep(2 * time.Second)
			h.restart(true, time.Minute, catching)
			sleep(20 * time.Hour)
		}, []string{"01-01 07:02:00"}},
		{"not made up of before the deployment", catching, func(h *home, m *machine) {
			sleep(7*time.Hour + 5*time.Minute)
			h.deploy(catching)
			sleep(24 * time.Hour)
		}, []string{"01-02 07:00:00"}},
		{"a restart after it", morning, func(h *home, m *machine) {
			h.deploy(morning)
			sleep(7*time.Hour + time.Minute)
			h.restart(true, 0, morning)
			sleep(10 * time.Hour)
		}, []string{"01-01 07:00:00"}},
		{"the clock is unknown, and then known before it", morning, func(h *home, m *machine) {
			m.unset(-5 * time.Hour)
			h.begin()
			h.deploy(morning)
			sleep(3 * time.Hour)
			m.set(0)
			sleep(20 * time.Hour)
		}, []string{"01-01 07:00:00"}},
		{"the clock is unknown at the time, and stepped by hours", morning, func(h *home, m *machine) {
			m.unset(-5 * time.Hour)
			h.begin()
			h.deploy(morning)
			sleep(7*time.Hour + 10*time.Minute)
			m.set(0)
			sleep(24 * time.Hour)
		}, []string{"01-02 07:00:00"}},
		{"an unknown clock passes the time", morning, func(h *home, m *machine) {
			m.unset(5 * time.Hour)
			h.begin()
			h.deploy(morning)
			sleep(3 * time.Hour) // it reads 08:00
			m.set(0)
			sleep(10 * time.Hour)
		}, []string{"01-01 07:00:00"}},
		{"the clock is unknown at the time, to be made up", catching, func(h *home, m *machine) {
			h.deploy(catching)
			sleep(time.Minute)
			m.unset(-5 * time.Hour)
			h.restart(false, 0, catching)
			sleep(7*time.Hour + 10*time.Minute)
			m.set(0)
			sleep(12 * time.Hour)
		}, []string{"01-01 07:11:01"}},
		{"set back over it", morning, func(h *home, m *machine) {
			h.deploy(morning)
			sleep(7*time.Hour + 30*time.Minute)
			m.set(-time.Hour) // 06:30 again
			sleep(23 * time.Hour)
		}, []string{"01-01 07:00:00"}},
		{"put forward over it", morning, func(h *home, m *machine) {
			h.deploy(morning)
			sleep(6 * time.Hour)
			m.set(2 * time.Hour)
			sleep(3 * time.Hour)
		}, []string(nil)},
		{"a polar night", strings.Replace(morning, `at: "07:00"`, "at: sunrise, place: [69.65, 18.95]", 1), func(h *home, m *machine) {
			h.deploy(strings.Replace(morning, `at: "07:00"`, "at: sunrise, place: [69.65, 18.95]", 1))
			sleep(10 * 24 * time.Hour)
			if n := strings.Count(h.log.String(), "no sunrise or sunset for more than a day"); n != 1 {
				h.Errorf("%d lines: %s", n, h.log.String())
			}
		}, []string(nil)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t)
				m := &machine{synced: true, booted: time.Now().Add(-time.Hour)}
				h.machine(m)
				tc.run(h, m)
				var want []string
				for _, at := range tc.want {
					want = append(want, at+" ring")
				}
				h.want(want...)
			})
		})
	}
}

// TestWaitOverReboots: the deadline of a wait is kept over reboots of a machine that
// learns the time late, or never.
func TestWaitOverReboots(t *testing.T) {
	for _, tc := range []struct {
		name string
		run  func(h *home, m *machine)
		want string // when the light goes off; it went on at 00:00
	}{
		{"the time is known soon", func(h *home, m *machine) {
			m.unset(-5 * time.Hour)
			h.restart(true, time.Minute, waiting)
			sleep(2 * time.Minute)
			m.set(0)
		}, "01-01 00:10:00"},
		{"the time is known after the deadline", func(h *home, m *machine) {
			m.unset(-5 * time.Hour)
			h.restart(true, 3*time.Minute, waiting)
			sleep(5*time.Minute - time.Second/2)
			m.set(0) // the clock is looked at each second
		}, "01-01 00:12:00"},
		{"the time is never known", func(h *home, m *machine) {
			m.unset(-5 * time.Hour)
			h.restart(true, 0, waiting)
		}, "01-01 00:14:00"}, // the whole wait, from the restart on
		{"a restart in the same boot, the time is never known", func(h *home, m *machine) {
			m.unset(-5 * time.Hour)
			h.restart(false, 0, waiting)
			sleep(time.Minute)
			h.restart(true, 2*time.Minute, waiting)
		}, "01-01 00:14:00"},
		{"the clock is stepped by hours, no restart", func(h *home, m *machine) {
			m.set(5 * time.Hour)
		}, "01-01 00:10:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t)
				m := &machine{synced: true, booted: time.Now().Add(-time.Hour)}
				h.machine(m)
				h.deploy(waiting)
				h.start("X")
				sleep(4 * time.Minute)
				tc.run(h, m)
				sleep(time.Hour)
				h.want("01-01 00:00:00 on", tc.want+" off")
			})
		})
	}
}

// TestDaysOfAConfiguration: a clock of days in a deployment that knows no time of its
// own counts from when it first ran, also on a machine that is rebooted every night.
func TestDaysOfAConfiguration(t *testing.T) {
	const text = `name: X
trigger: {every: 1 days}
steps:
  - {name: Ring, thing: bell, action: ring}
`
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		sleep(20 * time.Hour)
		h.deploy(text)
		for range 3 {
			sleep(8 * time.Hour)
			h.restart(true, time.Minute, text)
			sleep(16*time.Hour - time.Minute)
		}
		sleep(time.Minute)
		h.want("01-02 20:00:00 ring", "01-03 20:00:00 ring", "01-04 20:00:00 ring")
	})
}

// TestNothingRunsIdle: two hundred flows, half of them with at and half with for, wake
// nothing but the one timer: once an hour, and when one of the two is due.
func TestNothingRunsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		wakes := wakeUps(h)
		h.device.answer = nil
		lasting := strings.Replace(morning, `{at: "07:00", zone: UTC}`, "{thing: bell, event: StateChanged, when: value > 30, for: 90m}", 1)
		for i := range 200 {
			text := morning
			if i%2 == 1 {
				text = lasting
			}
			h.deploy(strings.NewReplacer("name: X", fmt.Sprint("name: X", i), "bell", fmt.Sprint("bell", i)).Replace(text))
		}
		want := func(most, calls int) {
			t.Helper()
			h.device.mu.Lock()
			defer h.device.mu.Unlock()
			if n := wakes(); n > most || len(h.device.calls) != calls {
				t.Errorf("%d wake-ups, at most %d, and %d calls, want %d", n, most, len(h.device.calls), calls)
			}
		}
		h.happens("value", 31)
		sleep(80 * time.Minute)
		want(3, 0)
		sleep(280 * time.Minute) // 90 minutes have passed
		want(9, 100)
		sleep(2 * time.Hour) // 07:00
		want(13, 200)
	})
}

// wakeUps has a home count the moments at which its engine reads the wall clock: one when the
// flows are deployed, and then each time that the timer wakes it.
func wakeUps(h *home) func() int {
	var mu sync.Mutex
	n, last := 0, time.Time{}
	h.wall = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); !now.Equal(last) {
			n, last = n+1, now
		}
		return last
	}
	h.begin()
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}
