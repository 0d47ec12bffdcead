package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/clock/clocktest"
)

var temperature = Key{"hall", "temperature", "°C"}

// bench is a store that runs in a bubble of testing/synctest.
type bench struct {
	*Store
	t    *testing.T
	log  bytes.Buffer
	end  func()
	done chan error
}

func start(t *testing.T, d files, c *clock.Clock) *bench {
	t.Helper()
	b := &bench{t: t, done: make(chan error, 1)}
	b.Store = New(Options{Max: 40 << 20, Clock: c, Log: slog.New(slog.NewTextHandler(&b.log, nil)), fs: d})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { b.done <- b.Run(ctx) }()
	b.end = func() {
		t.Helper()
		cancel()
		if err := <-b.done; err != nil {
			t.Error(err)
		}
	}
	return b
}

// measure puts a reading every so often, for so long.
func (b *bench) measure(k Key, every, long time.Duration) {
	for range long / every {
		b.Put(k, 2, time.Now(), wave(time.Now().Unix()))
		time.Sleep(every)
	}
	synctest.Wait()
}

// ask returns the answer for the last so long.
func (b *bench) ask(k Key, long time.Duration, points int) (a Answer) {
	b.t.Helper()
	f, err := b.Open(k.Thing, k.Quantity)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	var text bytes.Buffer
	now := time.Now()
	if err := f.WriteJSON(&text, Query{From: now.Add(-long), To: now, Points: points, Now: now}); err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(text.Bytes(), &a); err != nil {
		b.t.Fatalf("%v: %s", err, text.Bytes())
	}
	return a
}

// count returns the rows with values, and the gaps.
func count(a Answer) (values, gaps int) {
	for _, v := range a.Mean {
		if v == nil {
			gaps++
		} else {
			values++
		}
	}
	return values, gaps
}

// What is put is there at once, and after a restart; a pause is one gap.
func TestStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatter()
		b := start(t, p, nil)
		b.measure(temperature, 3*time.Second, 2*time.Hour)
		if v, g := count(b.ask(temperature, 30*time.Minute, 0)); v != 600 || g != 0 {
			t.Errorf("%d values and %d gaps, want 600 and 0", v, g)
		}
		b.end()
		time.Sleep(time.Hour)
		b = start(t, p, nil)
		b.measure(temperature, 3*time.Second, time.Hour)
		a := b.ask(temperature, 4*time.Hour, 240)
		if v, g := count(a); v != 180 && v != 181 || g != 1 || a.Step != 60 || a.Tier != "minutes" || a.Unit != "°C" {
			t.Errorf("%d values and %d gaps: %+v", v, g, a)
		}
		all, err := b.List()
		if err != nil || len(all) != 1 || all[0].Key != temperature || !all[0].Current {
			t.Errorf("%+v, %v", all, err)
		}
		if _, err := b.Open("hall", "humidity"); !errors.Is(err, ErrNone) {
			t.Errorf("of a quantity that was never measured: %v", err)
		}
		b.end()
		if b.log.Len() > 0 {
			t.Errorf("logged: %s", &b.log)
		}
	})
}

// Without a reader and with a reading every ten minutes, what is on the disk is never older than
// MaxUnsaved: pages are written by time, too.
func TestSlowReadingsAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatter()
		b := start(t, p, nil)
		defer b.end()
		var put []time.Time
		for range 300 {
			now := time.Now()
			if now.Unix()%600 == 0 {
				b.Put(temperature, 2, now, 20)
				put = append(put, now)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			var want int64
			for _, at := range put {
				if time.Since(at) > MaxUnsaved {
					want = at.Unix()
				}
			}
			if want == 0 {
				continue
			}
			f, err := openFile(p.killed(), fileName(temperature))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			if err := f.view.scan(raw, want, want+1, func(int64, sum, uint32) bool { found = true; return true }); err != nil || !found {
				t.Fatalf("%v after the start the reading of %v ago is not on the disk: %v", time.Duration(len(put))*10*time.Minute, time.Since(time.Unix(want, 0)), err)
			}
		}
	})
}

// Readings from before the time is known are where they belong once it is.
func TestUnknownTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clocktest.New()
		c := clock.New(clock.Options{Built: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Machine: m.Machine()})
		ctx, cancel := context.WithCancel(t.Context())
		looked := make(chan struct{})
		go func() { defer close(looked); _ = c.Run(ctx) }()
		p := newPlatter()
		b := start(t, p, c)
		boot := time.Now()
		b.measure(temperature, 3*time.Second, time.Hour)
		if _, err := b.Open("hall", "temperature"); !errors.Is(err, ErrNone) {
			t.Errorf("something was placed: %v", err)
		}
		if s := b.State(); s.Waiting != 1200 {
			t.Errorf("%+v", s)
		}
		truth := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
		m.Synchronise(truth)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		f, err := b.Open("hall", "temperature")
		if err != nil {
			t.Fatal(err)
		}
		n, first := 0, int64(0)
		if err := f.view.scan(raw, 0, latestSecond, func(int64, sum, uint32) bool { return true }); err != nil {
			t.Fatal(err)
		}
		began := truth.Add(-time.Hour).Unix()
		err = f.view.scan(raw, began-86400/2, truth.Unix()+60, func(at int64, s sum, _ uint32) bool {
			if n++; first == 0 {
				first = at
			}
			if want := wave(boot.Unix() + at - began); s.mean < want-0.2 || s.mean > want+0.2 { // its second, or one beside it
				t.Fatalf("at %d: %v, want %v", at-began, s.mean, want)
			}
			return true
		})
		if err != nil || n != 1200 || first < began-1 || first > began+1 {
			t.Errorf("%d readings from %d s on: %v", n, first-began, err)
		}
		b.end()
		cancel()
		<-looked
	})
}

// When the time stays unknown, memory is bounded and all of the time is covered.
func TestUnknownTimeForLong(t *testing.T) {
	var w waiting
	one, other := &series{}, &series{}
	for i := range 100_000 {
		w.add(reading{of: one, at: time.Unix(int64(i), 0)})
		if i%10 == 0 {
			w.add(reading{of: other, at: time.Unix(int64(i), 0)})
		}
	}
	if len(w.items) > waitingMost {
		t.Fatalf("%d readings wait", len(w.items))
	}
	last := map[*series]int64{}
	widest := map[*series]int64{}
	for _, r := range w.items {
		widest[r.of] = max(widest[r.of], r.at.Unix()-last[r.of])
		last[r.of] = r.at.Unix()
	}
	if widest[one] > 16 || widest[other] > 160 || last[one] < 100_000-16 || last[other] < 100_000-160 {
		t.Errorf("widest pauses %d and %d, last %d and %d", widest[one], widest[other], last[one], last[other])
	}
}

// A clock that is set back or forward: what was measured before stays, and what is measured then
// is taken, but for the few readings after which a step back is trusted.
func TestClockJumps(t *testing.T) {
	for _, jump := range []int64{-10, -3601, -40*3600 - 1, 1, 3600, 40 * 3600, 400 * 86400} {
		t.Run(fmt.Sprint(jump), func(t *testing.T) {
			p := newPlatter()
			s := newSeries(p)
			s.feed(t, begun, begun+7200, 3, func(int64) float64 { return 1 })
			at := begun + 7200 + jump
			s.feed(t, at, at+1800, 3, func(int64) float64 { return 2 })
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			of := func(from, to int64, value float64) (n int) {
				got, _ := rowsOf(t, s, from, to, 0)
				for _, r := range got {
					if r.N > 0 && r.Mean == value {
						n++
					}
				}
				return n
			}
			if n := of(at, at+1800, 2); n < 600-stepBack+1 || int(s.refused) != 600-n {
				t.Errorf("%d of 600 readings are there, and %d were refused", n, s.refused)
			}
			if n := of(begun, begun+7200, 1); n != 2400 {
				t.Errorf("%d of the 2400 readings of before are there", n)
			}
		})
	}
}

// A disk that is full for an hour costs nothing, and is said once.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatter()
		b := start(t, p, nil)
		b.measure(temperature, 3*time.Second, time.Hour)
		p.mu.Lock()
		p.at, p.err = p.n+1, syscall.ENOSPC
		p.writesOnly = true
		p.mu.Unlock()
		b.measure(temperature, 3*time.Second, time.Hour)
		if s := b.State(); s.Failing != 1 {
			t.Errorf("%+v", s)
		}
		p.mu.Lock()
		p.at = 0
		p.mu.Unlock()
		b.measure(temperature, 3*time.Second, time.Hour)
		if v, g := count(b.ask(temperature, 3*time.Hour, 180)); v < 180 || g != 0 {
			t.Errorf("%d minutes and %d gaps of 180 and 0", v, g)
		}
		b.end()
		if n := strings.Count(b.log.String(), "cannot be written"); n != 1 || !strings.Contains(b.log.String(), "written again") {
			t.Errorf("logged: %s", &b.log)
		}
	})
}

// A page that the disk does not give back any more costs what was in it, and no more.
func TestBadSector(t *testing.T) {
	p := newPlatter()
	s := newSeries(p)
	s.feed(t, begun, begun+7200, 3, wave)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	number, _ := layouts[raw].locate(begun + 7200)
	p.bad = layouts[raw].place(number)
	s = newSeries(p)
	s.feed(t, begun+7200, begun+10800, 3, wave)
	if s.lost != 1 {
		t.Errorf("%d pages are noted as lost", s.lost)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	got, plan := rowsOf(t, s, begun+7200, begun+10800, 0)
	compare(t, "after it was written anew", got, expect(plan, 3, begun+7200, begun+10800, wave))
}

// A file that is no history any more is kept for people, and another one begun.
func TestDamagedHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatter()
		p.put(fileName(temperature), bytes.Repeat([]byte("no history "), 1000))
		b := start(t, p, nil)
		b.measure(temperature, 3*time.Second, time.Minute)
		if v, _ := count(b.ask(temperature, time.Minute, 0)); v != 20 {
			t.Errorf("%d values", v)
		}
		b.end()
		if _, ok := p.names[fileName(temperature)+damagedSuffix]; !ok || !strings.Contains(b.log.String(), "is kept as") {
			t.Errorf("logged: %s", &b.log)
		}
	})
}

// Another unit is another file, and the one that counts is the one in use.
func TestAnotherUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatter()
		b := start(t, p, nil)
		fahrenheit := temperature
		fahrenheit.Unit = "°F"
		b.measure(temperature, 3*time.Second, time.Hour)
		b.measure(fahrenheit, 3*time.Second, time.Hour)
		if a := b.ask(temperature, 30*time.Minute, 0); a.Unit != "°F" || len(a.Times) != 600 {
			t.Errorf("%d values in %s", len(a.Times), a.Unit)
		}
		if all, err := b.List(); err != nil || len(all) != 2 {
			t.Errorf("%+v, %v", all, err)
		}
		b.end()
	})
}

// Space is bounded: unused files make room, the oldest first, and what finds none is said.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatter()
		key := func(i int) Key { return Key{"hall", fmt.Sprint("q", i), ""} }
		for i := range 3 { // of an earlier configuration
			h := header{key(i), 0}
			p.now = time.Now().Add(time.Duration(i) * time.Hour)
			p.put(fileName(h.Key), h.encode()[:])
		}
		b := start(t, p, nil)
		b.o.Max = 4 * FileSize
		for i := 10; i < 15; i++ {
			b.measure(key(i), time.Second, time.Second)
			if _, err := b.List(); err != nil { // which places it
				t.Fatal(err)
			}
			oldest := i - 10 // of those of before
			for j := range 3 {
				if _, there := p.names[fileName(key(j))]; there != (j >= oldest) {
					t.Errorf("after %d new ones: file %d is there: %v", i-9, j, there)
				}
			}
		}
		if s := b.State(); s.Quantities != 4 || s.NoRoom != 1 {
			t.Errorf("%+v", s)
		}
		b.end()
		if n := strings.Count(b.log.String(), "no room"); n != 1 {
			t.Errorf("logged: %s", &b.log)
		}
	})
}

// What is older than anything in it could be is removed.
func TestUnusedFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatter()
		old, young := header{Key{"hall", "old", ""}, 0}, header{Key{"hall", "young", ""}, 0}
		p.now = time.Now().Add(-unusedKeep)
		p.put(fileName(old.Key), old.encode()[:])
		p.now = time.Now().Add(-unusedKeep + 48*time.Hour)
		p.put(fileName(young.Key), young.encode()[:])
		p.now = time.Now()
		b := start(t, p, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if all, err := b.List(); err != nil || len(all) != 1 || all[0].Quantity != "young" || all[0].Current {
			t.Errorf("%+v, %v", all, err)
		}
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		if all, err := b.List(); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		b.end()
	})
}
