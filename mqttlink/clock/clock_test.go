package clock_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/clock/clocktest"
)

var (
	built = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)
	today = time.Date(2026, 11, 25, 8, 0, 0, 123456789, time.UTC)
)

func link(to string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
}
func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

// Every rule of the package's page, and what must not be taken for one.
func TestVerdict(t *testing.T) {
	noService := func(m *clocktest.Machine) { m.Remove("run/systemd/timesync") }
	systemd := func(m *clocktest.Machine) {
		noService(m)
		m.Put("run/systemd/system", &fstest.MapFile{Mode: fs.ModeDir | 0o755})
	}
	const wants = "etc/systemd/system/multi-user.target.wants/"
	for _, tt := range []struct {
		name   string
		set    func(*clocktest.Machine)
		state  clock.State
		reason clock.Reason
		words  string
	}{
		{"1970, timesyncd has no answer yet", func(m *clocktest.Machine) { m.Set(clocktest.Epoch) }, clock.Unset, "", "reads 1970-01-01 00:00 UTC, before this program was built (2026-11-20)"},
		{"1970 and no time service", func(m *clocktest.Machine) { noService(m); m.Set(clocktest.Epoch) }, clock.Unset, "", "clock: trust"},
		{"1970 and a real-time clock that has lost its battery", func(m *clocktest.Machine) {
			m.Set(clocktest.Epoch)
			m.PutRTC("rtc0", true, clocktest.Epoch)
		}, clock.Unset, "", ""},
		{"a Pi 5 without a battery, put forward to the last shutdown", func(m *clocktest.Machine) { m.PutRTC("rtc0", true, clocktest.Epoch.Add(time.Minute)) }, clock.Doubtful, "", ""},
		{"a real-time clock that cannot be read", func(m *clocktest.Machine) { m.Put("sys/class/rtc/rtc0/hctosys", text("1\n")) }, clock.Doubtful, "", ""},
		{"where it was at the last shutdown", func(*clocktest.Machine) {}, clock.Doubtful, "", "systemd-timesyncd has not got the time yet"},
		{"the kernel says so", func(m *clocktest.Machine) { m.Synchronise(today) }, clock.Known, clock.ByKernel, "kernel"},
		{"the kernel may not be asked", func(m *clocktest.Machine) { m.Deny(os.NewSyscallError("adjtimex", syscall.EPERM)) }, clock.Doubtful, "", "ProtectClock="},
		{"the kernel may not be asked, timesyncd says so", func(m *clocktest.Machine) {
			m.Deny(os.NewSyscallError("adjtimex", syscall.EPERM))
			m.Put("run/systemd/timesync/synchronized", text(""))
		}, clock.Known, clock.ByTimesyncd, "timesyncd"},
		{"a real-time clock set it", func(m *clocktest.Machine) { m.PutRTC("rtc0", true, today) }, clock.Known, clock.ByRTC, "real-time clock"},
		{"a real-time clock that did not set it", func(m *clocktest.Machine) { m.PutRTC("rtc0", false, today) }, clock.Doubtful, "", ""},
		{"the second of two real-time clocks", func(m *clocktest.Machine) {
			m.PutRTC("rtc0", false, today)
			m.PutRTC("rtc1", true, today)
		}, clock.Known, clock.ByRTC, ""},
		{"no time service", noService, clock.Known, clock.Alone, "no time service"},
		{"built a little ahead", func(m *clocktest.Machine) { noService(m); m.Set(built.Add(-23 * time.Hour)) }, clock.Known, clock.Alone, ""},
		{"earlier than built", func(m *clocktest.Machine) { noService(m); m.Set(built.Add(-25 * time.Hour)) }, clock.Unset, "", ""},
		{"chrony runs", func(m *clocktest.Machine) { noService(m); m.Put("run/chrony/chronyd.pid", text("1")) }, clock.Doubtful, "", "chrony"},
		{"ntpd runs", func(m *clocktest.Machine) { noService(m); m.Put("run/ntpd.pid", text("1")) }, clock.Doubtful, "", "ntpd"},
		{"busybox's ntpd runs", func(m *clocktest.Machine) { noService(m); m.Put("proc/123/comm", text("ntpd\n")) }, clock.Doubtful, "", "ntpd"},
		{"timesyncd is to be started", func(m *clocktest.Machine) {
			systemd(m)
			m.Put("etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service", link("/usr/lib/systemd/system/systemd-timesyncd.service"))
		}, clock.Doubtful, "", "systemd-timesyncd"},
		{"chrony is to be started", func(m *clocktest.Machine) {
			systemd(m)
			m.Put(wants+"chrony.service", link("/lib/systemd/system/chrony.service"))
		}, clock.Doubtful, "", "chrony"},
		{"chrony is to be started, but masked", func(m *clocktest.Machine) {
			systemd(m)
			m.Put(wants+"chrony.service", link("/lib/systemd/system/chrony.service"))
			m.Put("etc/systemd/system/chrony.service", link("/dev/null"))
		}, clock.Known, clock.Alone, ""},
		{"the link is there, but systemd does not run", func(m *clocktest.Machine) {
			noService(m)
			m.Put(wants+"chrony.service", link("/lib/systemd/system/chrony.service"))
		}, clock.Known, clock.Alone, ""},
		{"the link is there, but in a container", func(m *clocktest.Machine) {
			systemd(m)
			m.Put(wants+"ntpsec.service", link("/lib/systemd/system/ntpsec.service"))
			m.Put("run/systemd/container", text("docker"))
		}, clock.Known, clock.Alone, ""},
		{"buildroot starts ntpd", func(m *clocktest.Machine) { noService(m); m.Put("etc/init.d/S49ntpd", text("#!/bin/sh")) }, clock.Doubtful, "", "ntpd"},
		{"System V starts chrony", func(m *clocktest.Machine) { noService(m); m.Put("etc/rc2.d/S01chrony", link("../init.d/chrony")) }, clock.Doubtful, "", "chrony"},
		{"System V stops chrony", func(m *clocktest.Machine) { noService(m); m.Put("etc/rc2.d/K01chrony", link("../init.d/chrony")) }, clock.Known, clock.Alone, ""},
		{"OpenRC starts openntpd", func(m *clocktest.Machine) {
			noService(m)
			m.Put("etc/runlevels/default/openntpd", link("/etc/init.d/openntpd"))
		}, clock.Doubtful, "", "openntpd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := clocktest.New()
			m.Set(today)
			tt.set(m)
			v := m.Machine().Examine(built)
			if v.State != tt.state || v.Reason != tt.reason || !strings.Contains(v.String(), tt.words) {
				t.Errorf("%v by %q, want %v by %q: %s", v.State, v.Reason, tt.state, tt.reason, v)
			}
			if strings.ContainsAny(v.String(), "\n\r") {
				t.Errorf("more than one line: %q", v)
			}
			// Who is trusted is known whatever the machine says.
			if c := clock.New(clock.Options{Trust: true, Built: built, Machine: m.Machine()}); !c.Known() {
				t.Error("not trusted")
			}
		})
	}
	t.Run("not Linux", func(t *testing.T) {
		m := clock.Machine{Now: func() time.Time { return clocktest.Epoch }}
		if v := m.Examine(built); v.State != clock.Known || v.Reason != clock.BySystem {
			t.Error(v)
		}
		c := clock.New(clock.Options{Built: built, Dir: t.TempDir(), Machine: &m})
		if !c.Known() || !c.Now().Equal(clocktest.Epoch) || c.Stamp(time.Now()) != (clock.Stamp{}) || c.Run(t.Context()) != nil {
			t.Error(c)
		}
	})
	t.Run("a build without a date", func(t *testing.T) {
		m := clocktest.New()
		if v := m.Machine().Examine(time.Time{}); v.State != clock.Unset {
			t.Error(v)
		}
	})
	t.Run("a folder of a time service that others may not look into", func(t *testing.T) {
		m := clocktest.New()
		m.Set(today)
		machine := m.Machine()
		machine.Root = closed{machine.Root, "run/chrony"}
		m.Remove("run/systemd/timesync")
		if v := machine.Examine(built); v.State != clock.Doubtful || v.Service != "chrony" {
			t.Error(v)
		}
	})
}

// closed is a tree with a folder that may not be looked into.
type closed struct {
	fs.FS
	dir string
}

func (c closed) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, c.dir+"/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.FS.Open(name)
}

// booted is a clock whose Run runs, on a machine of the test's.
func booted(t *testing.T, m *clocktest.Machine, dir string, log *slog.Logger) (c *clock.Clock, stop func()) {
	t.Helper()
	c = clock.New(clock.Options{Built: built, Dir: dir, Machine: m.Machine(), Log: log})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	return c, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The day of a Pi: it boots in 1970, measures, learns the time after a while, and
// what was measured is dated to the nanosecond, however the clock is set meanwhile.
func TestLearning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clocktest.New()
		time.Sleep(20 * time.Second) // of booting
		c, stop := booted(t, m, t.TempDir(), nil)
		defer stop()
		began := time.Now()
		changed := c.Changed()
		if c.State() != clock.Unset || !c.Now().IsZero() || c.KnownAt(time.Now()) {
			t.Fatal(c)
		}
		var stamps []clock.Stamp
		var made []time.Time
		for range 5 {
			made = append(made, time.Now())
			time.Sleep(150 * time.Millisecond) // measuring
			stamps = append(stamps, c.Stamp(made[len(made)-1]))
			m.Step(time.Duration(len(made)%3-1) * time.Hour)
			time.Sleep(time.Hour + 850*time.Millisecond)
		}
		for _, s := range stamps {
			if _, ok := c.Date(s); ok || !c.Pending(s) {
				t.Fatal("dated before the time is known")
			}
		}
		if age, ok := c.Age(stamps[0]); !ok || age != time.Since(made[0]) {
			t.Errorf("age %v %v", age, ok)
		}
		between := time.Now()
		time.Sleep(300 * time.Millisecond)
		m.Synchronise(today)
		synced := time.Now()
		<-changed
		if wait := time.Since(synced); wait > clock.Poll {
			t.Errorf("noticed after %v", wait)
		}
		if !c.Known() || c.KnownAt(between) || c.KnownAt(time.Now()) || !c.KnownAt(time.Now().Add(1)) || !c.KnownAt(time.Time{}) {
			t.Error(c)
		}
		if since := c.Since(); !since.Equal(m.Now()) {
			t.Errorf("known since %v, want %v", since, m.Now())
		}
		m.Step(-20 * 365 * 24 * time.Hour) // of no more consequence
		for i, s := range stamps {
			got, ok := c.Date(s)
			want := today.Add(made[i].Sub(synced))
			if !ok || !got.Equal(want) || c.Pending(s) {
				t.Errorf("sample %d is dated %v, want %v", i, got, want)
			}
		}
		if got, want := c.Now(), today.Add(time.Since(synced)); !got.Equal(want) {
			t.Errorf("now is %v, want %v", got, want)
		}
		// It does not look any more: nothing wakes up.
		stop()
		if time.Since(began) < 5*time.Hour {
			t.Error("the test did not take its time")
		}
	})
}

// A clock that a user sets to a plausible time is trusted as far as that.
func TestSetByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clocktest.New()
		c, stop := booted(t, m, "", nil)
		defer stop()
		changed := c.Changed()
		m.Set(today)
		<-changed
		if c.State() != clock.Doubtful {
			t.Fatal(c)
		}
		changed = c.Changed()
		m.Put("run/systemd/timesync/synchronized", text(""))
		<-changed
		if !c.Known() {
			t.Error(c)
		}
	})
}

// What one boot has learnt, later ones know; what it has not learnt stays unknown.
func TestBoots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, dir := clocktest.New(), t.TempDir()
		learn := func() (s clock.Stamp, want time.Time) {
			c, stop := booted(t, m, dir, nil)
			time.Sleep(90 * time.Second)
			s = c.Stamp(time.Now())
			time.Sleep(10 * time.Second)
			today := today.Add(24 * time.Hour)
			m.Synchronise(today)
			time.Sleep(2 * clock.Poll)
			stop()
			return s, today.Add(-10 * time.Second)
		}
		first, want := learn()

		// Killed and started again in the same boot, the network gone meanwhile: it is
		// still known, and dates the same.
		m.Deny(errors.New("no answer"))
		m.Step(300 * time.Millisecond)
		c, stop := booted(t, m, dir, nil)
		if v := c.Verdict(); v.Reason != clock.ByEarlier {
			t.Error(c)
		}
		if got, ok := c.Date(first); !ok || !got.Equal(want) {
			t.Errorf("after a restart dated %v, want %v", got, want)
		}
		stop()
		m.Deny(nil)

		// A boot that never learns.
		m.Boot()
		c, stop = booted(t, m, dir, nil)
		time.Sleep(time.Minute)
		never := c.Stamp(time.Now())
		if got, ok := c.Date(first); !ok || !got.Equal(want) {
			t.Errorf("in the next boot dated %v, want %v", got, want)
		}
		if c.Known() {
			t.Error("known from an earlier boot")
		}
		if _, ok := c.Age(first); ok {
			t.Error("an age, without a clock")
		}
		stop()

		m.Boot()
		second, wantSecond := learn()
		c, stop = booted(t, m, dir, nil)
		defer stop()
		if _, ok := c.Date(never); ok || c.Pending(never) {
			t.Error("dated a boot that never learned the time")
		}
		for s, want := range map[clock.Stamp]time.Time{first: want, second: wantSecond} {
			if got, ok := c.Date(s); !ok || !got.Equal(want) {
				t.Errorf("dated %v, want %v", got, want)
			}
			if age, ok := c.Age(s); !ok || age < 0 {
				t.Errorf("age %v", age)
			}
		}
	})
}

// The clock of a boot that was trusted because a user set it is known better when
// the kernel says so, and 1970 is never written down.
func TestWeakBoots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, dir := clocktest.New(), t.TempDir()
		trusted := func() {
			if err := clock.New(clock.Options{Trust: true, Built: built, Dir: dir, Machine: m.Machine()}).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		trusted()
		if _, err := os.Stat(filepath.Join(dir, "boots")); !errors.Is(err, fs.ErrNotExist) {
			t.Error("1970 was written down")
		}
		m.Set(today.Add(-time.Hour)) // wrong
		trusted()
		c, stop := booted(t, m, dir, nil)
		if c.Known() {
			t.Error("somebody's word makes it known")
		}
		m.Synchronise(today)
		time.Sleep(2 * clock.Poll)
		if got, ok := c.Date(c.Stamp(time.Now())); !ok || !got.Equal(m.Now()) {
			t.Errorf("dated %v, want %v", got, m.Now())
		}
		s, want := c.Stamp(time.Now()), m.Now()
		stop()
		m.Boot()
		c, stop = booted(t, m, dir, nil)
		defer stop()
		if got, ok := c.Date(s); !ok || !got.Equal(want) {
			t.Errorf("after the next boot dated %v, want %v", got, want)
		}
	})
}

// A disk that cannot be written costs a line in the log, and is tried again.
func TestReadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, dir := clocktest.New(), filepath.Join(t.TempDir(), "not there yet")
		var log bytes.Buffer
		m.Synchronise(today)
		c, stop := booted(t, m, dir, slog.New(slog.NewTextHandler(&log, nil)))
		time.Sleep(10 * time.Hour)
		s, want := c.Stamp(time.Now()), m.Now()
		if got, ok := c.Date(s); !ok || !got.Equal(want) {
			t.Errorf("dated %v, want %v", got, want)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		stop()
		if n := strings.Count(log.String(), "boot time cannot be saved"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, log.String())
		}
		m.Boot()
		c, stop = booted(t, m, dir, nil)
		defer stop()
		if got, ok := c.Date(s); !ok || !got.Equal(want) {
			t.Errorf("dated %v, want %v", got, want)
		}
	})
}

func TestAloneIsWarnedOfOnce(t *testing.T) {
	m := clocktest.New()
	m.Set(today)
	m.Remove("run/systemd/timesync")
	var log bytes.Buffer
	c := clock.New(clock.Options{Built: built, Machine: m.Machine(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := c.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "clock: trust") {
		t.Errorf("warned %d times:\n%s", n, log.String())
	}
}

// Stamps from a disk can be anything.
func TestStampsThatCannotBe(t *testing.T) {
	m := clocktest.New()
	m.Synchronise(today)
	c := clock.New(clock.Options{Built: built, Machine: m.Machine()})
	ours := c.Stamp(time.Time{})
	for _, s := range []clock.Stamp{
		{}, {Boot: ours.Boot, Mono: -1}, {Boot: ours.Boot, Mono: 1<<63 - 1}, {Boot: [16]byte{1}, Mono: 1}, {Mono: 5},
	} {
		if at, ok := c.Date(s); ok {
			t.Errorf("%v is dated %v", s, at)
		}
		if age, ok := c.Age(s); ok {
			t.Errorf("%v is %v old", s, age)
		}
		if c.Pending(s) {
			t.Errorf("%v is pending", s)
		}
	}
	if s := c.Stamp(time.Now().Add(-1000 * time.Hour)); s.Mono != 0 {
		t.Errorf("made before boot: %v", s)
	}
	var none *clock.Clock
	if _, ok := none.Date(ours); ok || !none.Known() || !none.KnownAt(time.Now()) || none.Changed() != nil || none.Stamp(time.Now()) != (clock.Stamp{}) || none.Pending(ours) {
		t.Error("a nil clock is not what it should be")
	}
	if _, ok := none.Age(ours); ok || none.String() != "known" || none.Now().IsZero() {
		t.Error("a nil clock is not what it should be")
	}
}

// The sources of the machine that runs the test, whatever they say: the answers
// must agree with each other.
func TestThisMachine(t *testing.T) {
	m := clock.ThisMachine()
	v := m.Examine(time.Time{})
	t.Logf("%v: %v", v.State, v)
	c := clock.New(clock.Options{Dir: t.TempDir()})
	if c.State() != v.State {
		t.Errorf("%v and %v", c.State(), v.State)
	}
	if runtime.GOOS != "linux" {
		if v.State != clock.Known || v.Reason != clock.BySystem {
			t.Error(v)
		}
		return
	}
	synced, err := m.Synchronised()
	if err != nil {
		t.Logf("the kernel may not be asked: %v", err)
	}
	if synced != (v.Reason == clock.ByKernel) || !errors.Is(v.Hidden, err) {
		t.Errorf("synchronised %v %v, but %v", synced, err, v)
	}
	before := m.Uptime()
	time.Sleep(5 * time.Millisecond)
	if after := m.Uptime(); before <= 0 || after < before+5*time.Millisecond {
		t.Errorf("uptime %v, then %v", before, after)
	}
	at := time.Now()
	s := c.Stamp(at)
	if s.Boot == [16]byte{} || s.Mono < before || s.Mono > m.Uptime() {
		t.Errorf("stamp %v", s)
	}
	if other := clock.New(clock.Options{}).Stamp(at); other.Boot != s.Boot {
		t.Error("two clocks disagree on the boot")
	}
	got, ok := c.Date(s)
	if ok != c.Known() {
		t.Errorf("dated %v, state %v", ok, c.State())
	}
	if d := got.Sub(at); ok && (d < -time.Millisecond || d > time.Millisecond) {
		t.Errorf("dated %v, was %v", got, at)
	}
}
