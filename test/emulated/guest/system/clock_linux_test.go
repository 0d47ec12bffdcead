package system

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's clock is as a Pi boots, in 1970 and not synchronised, and set while
// the program runs, as a time service does it. What was measured before waits, and
// arrives with the times at which it was measured.
func TestClockOfTheKernel(t *testing.T) {
	before, began := time.Now(), uptime(t)
	t.Cleanup(func() {
		// The kernel takes no time at which it would have been booted before 1970.
		back, least := before.Add(uptime(t)-began), time.Unix(1, 0).Add(uptime(t))
		if back.Before(least) {
			back = least
		}
		setClock(t, back, false)
	})

	setClock(t, time.Unix(600, 0), false)
	a := start(t, how{clock: "auto"}, "things:\n  - {name: bme680, type: environment, bus: \""+bus+"\", interval: 500ms}\n")
	started := uptime(t)
	a.waitLog("web server listens")
	eventually(t, "twenty readings wait", func() bool { return health(t).Queues["shared"].Messages >= 20 })
	if n := a.count(); n > 0 {
		t.Errorf("%d messages arrived before the clock was set", n)
	}
	if h := health(t); h.Clock.State != "unset" || h.Queues["shared"].Waiting == 0 {
		t.Errorf("/healthz says %+v", h)
	}
	right := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	setClock(t, right, true)
	set := uptime(t)

	// In whole seconds, which the messages have.
	first, last := right.Add(started-set).Unix()-1, int64(0)
	at, old := 0, 0
	for range 8 {
		var payload string
		payload, at = a.wait(at, "bme680/state", nil)
		var r struct {
			Time int64 `json:"utc_timestamp"`
		}
		if err := json.Unmarshal([]byte(payload), &r); err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		if now := right.Add(uptime(t) - set).Unix(); r.Time < max(first, last) || r.Time > now {
			t.Errorf("dated %v, not between %v and %v: %s", r.Time, max(first, last), now, payload)
		}
		if r.Time < right.Unix() {
			old++
		}
		last = r.Time
	}
	if old < 3 {
		t.Errorf("only %d readings are of before the clock was set", old)
	}
	if h := health(t); h.Clock.State != "known" || h.Queues["shared"].Waiting != 0 {
		t.Errorf("/healthz says %+v", h)
	}
	t.Log(a.waitLog("clock is known to be right now"))
	a.end()
}

// setClock sets the kernel's clock, which makes it one that is not synchronised, and
// then, if asked to, says that it is, as systemd-timesyncd does.
func setClock(t *testing.T, to time.Time, synchronised bool) {
	t.Helper()
	tv := unix.NsecToTimeval(to.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		t.Fatal(err)
	}
	if !synchronised {
		return
	}
	const (
		adjMaxError, adjStatus = 0x0004, 0x0010 // linux/timex.h
	)
	// With the largest error the kernel would take it back at the next second.
	if _, err := unix.Adjtimex(&unix.Timex{Modes: adjMaxError | adjStatus}); err != nil {
		t.Fatal(err)
	}
}

func uptime(t *testing.T) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// healthz is what /healthz shows of queues and clock.
type healthz struct {
	Queues map[string]struct {
		Messages int
		Waiting  int `json:"waiting_for_clock"`
	}
	Clock struct{ State, Why string }
}

func health(t *testing.T) (h healthz) {
	t.Helper()
	r, err := http.Get("http://127.0.0.1:8080/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
		t.Fatal(err)
	}
	return h
}
