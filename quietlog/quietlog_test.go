package quietlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// buffer is a log in memory.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) handler() slog.Handler {
	return slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}})
}

// lines returns what was logged since the last call.
func (b *buffer) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.TrimSuffix(b.b.String(), "\n")
	b.b.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// counted sums up what lines stand for.
func counted(t *testing.T, lines []string) (n int) {
	t.Helper()
	for _, l := range lines {
		n++
		for _, key := range []string{" repeated=", " left_out="} {
			if _, rest, ok := strings.Cut(l, key); ok {
				text, _, sum := strings.Cut(rest, " within=")
				more, err := strconv.Atoi(strings.Fields(text)[0])
				if err != nil {
					t.Fatal(l)
				}
				n += more
				if sum {
					n-- // a sum is no line of its own
				}
			}
		}
	}
	return n
}

func TestFloodOfOneLineIsSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		h := New(b.handler())
		log := slog.New(h)
		const n = 12_000 // in two minutes
		for i := range n {
			log.Error("picture not shown", "thing", "TG_Screen", "err", fmt.Errorf("port %d is closed", 40000+i))
			time.Sleep(10 * time.Millisecond)
		}
		lines := b.lines()
		if len(lines) > 20 || len(lines) < 12 {
			t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
		}
		if want := `msg="picture not shown" thing=TG_Screen err="port`; !strings.HasPrefix(lines[10], want) || !strings.Contains(lines[10], " repeated=") {
			t.Errorf("the first sum: %s", lines[10])
		}
		h.Close()
		lines = append(lines, b.lines()...)
		if got := counted(t, lines); got != n {
			t.Errorf("lines stand for %d, want %d", got, n)
		}
	})
}

func TestRareLinesAllPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		h := New(b.handler())
		defer h.Close()
		log := slog.New(h)
		for range 1000 { // a flow that runs each second
			log.Info("EXECUTION_SUCCEEDED", "flow", "f", "took", time.Second)
			time.Sleep(time.Second)
		}
		if lines := b.lines(); len(lines) != 1000 || strings.Contains(lines[999], "repeated") {
			t.Errorf("%d lines", len(lines))
		}
	})
}

// While one thing floods, lines about others and with other reasons come through.
func TestFloodDoesNotHideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		h := New(b.handler())
		defer h.Close()
		log := slog.New(h)
		for range 1000 {
			log.Error("picture not shown", "thing", "a", "err", "x")
		}
		b.lines()
		log.Error("picture not shown", "thing", "b", "err", "x")
		log.Error("picture not shown", "thing", "a", "err", "y")
		log.With("thing", "c").Error("picture not shown", "err", "x")
		log.Warn("picture not shown", "thing", "a", "err", "x")
		if lines := b.lines(); len(lines) != 4 {
			t.Errorf("%q", lines)
		}
		time.Sleep(30 * time.Second) // the flood is over
		b.lines()
		log.Error("picture not shown", "thing", "a", "err", "x")
		if lines := b.lines(); len(lines) != 1 {
			t.Errorf("after the flood: %q", lines)
		}
	})
}

// Who chooses the reason, such as the text of an address, floods the kind; and who
// chooses the kind too, the whole log.
func TestLinesThatAllDifferAreBounded(t *testing.T) {
	for _, c := range []struct {
		name string
		line func(log *slog.Logger, i int)
		most int // in a minute
	}{
		{"reason", func(log *slog.Logger, i int) {
			log.Error("picture not shown", "thing", "a", "err", errors.New(strings.Repeat("x", i%5000)))
		}, 30 + 2*10},
		{"kind", func(log *slog.Logger, i int) { log.Error(strings.Repeat("x", i), "err", "e") }, 500 + 2*60},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b buffer
				h := New(b.handler())
				for i := range 6000 {
					c.line(slog.New(h), i)
					time.Sleep(10 * time.Millisecond)
				}
				if len(h.gates) > maxGates {
					t.Errorf("%d gates", len(h.gates))
				}
				lines := b.lines()
				if len(lines) > c.most {
					t.Errorf("%d lines in a minute, at most %d", len(lines), c.most)
				}
				h.Close()
				if got := counted(t, append(lines, b.lines()...)); c.name == "reason" && got != 6000 {
					t.Errorf("lines stand for %d, want 6000", got)
				}
			})
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	h := New(slog.DiscardHandler)
	h.next = new(buffer).handler()
	defer h.Close()
	log := slog.New(h)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 2000 {
		log.Error(fmt.Sprint("kind ", i), "err", strings.Repeat("x", 100<<10))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("%d bytes kept", grown)
	}
	runtime.KeepAlive(h)
}

// What is not held back needs no timer.
func TestNoTimerWhileNothingIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		h := New(b.handler())
		log := slog.New(h)
		armed := func() bool { h.mu.Lock(); defer h.mu.Unlock(); return !h.due.IsZero() }
		for range 5 {
			log.Info("a")
		}
		if armed() {
			t.Error("a timer runs")
		}
		for range 100 {
			log.Info("a")
		}
		if !armed() {
			t.Error("nothing will write the sum")
		}
		time.Sleep(time.Minute)
		if armed() {
			t.Error("a timer still runs")
		}
		h.Close()
	})
}

func TestLongTextsAreCut(t *testing.T) {
	var b buffer
	h := New(b.handler())
	defer h.Close()
	name := strings.Repeat("é", 250_000)
	slog.New(h).Error(name, "err", errors.New(name), "panic", any(name), "n", 1)
	if line := b.lines()[0]; len(line) > 4*MaxText || !strings.HasSuffix(line, "… n=1") {
		t.Errorf("%d bytes", len(line))
	}
}

func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		r := NewRepeats(slog.New(b.handler()))
		for range 3600 {
			r.Say(slog.LevelWarn, "away", "no connection")
			time.Sleep(time.Second)
		}
		lines := b.lines() // at 0, 1, 3, 7, 15 and 31 minutes
		if len(lines) != 6 || !strings.HasSuffix(lines[5], "repeated=959") {
			t.Errorf("%q", lines)
		}
		if !r.Say(slog.LevelWarn, "other", "another line") {
			t.Error("another line is held back")
		}
		time.Sleep(11 * time.Minute)
		if !r.Say(slog.LevelWarn, "away", "no connection") {
			t.Error("a line that had not come for long is held back")
		}
	})
}

func TestRepeatsThatAllDifferAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		r := NewRepeats(slog.New(b.handler()))
		for i := range 3600 {
			r.Say(slog.LevelWarn, fmt.Sprint(i), "topic refused")
			time.Sleep(time.Second)
		}
		if n := len(b.lines()); n > 20+2*20 {
			t.Errorf("%d lines in an hour", n)
		}
		if len(r.keys) > maxRepeats {
			t.Errorf("%d keys", len(r.keys))
		}
	})
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		s    string
		most int
		want string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"ab€", 3, "ab…"}, {"€€", 3, "€…"}, {"\xff\xff\xff\xff\xff\xff", 2, "\xff\xff…"},
	} {
		if got := Clip(c.s, c.most); got != c.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.s, c.most, got, c.want)
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add("aé€😀", 3)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 0 {
			return
		}
		got := Clip(s, most)
		if len(got) > most+len("…") && got != s || utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("Clip(%q, %d) = %q", s, most, got)
		}
	})
}

func BenchmarkHandler(b *testing.B) {
	for _, c := range []struct {
		name string
		wrap func(slog.Handler) slog.Handler
	}{
		{"bare", func(h slog.Handler) slog.Handler { return h }},
		{"quiet", func(h slog.Handler) slog.Handler { return New(h) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			log := slog.New(c.wrap(slog.NewTextHandler(discard{}, nil)))
			b.ReportAllocs()
			for b.Loop() {
				log.Info("EXECUTION_SUCCEEDED", "deployment", "d", "flow", "f", "took", time.Second)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// A Handler keeps slog's contract.
func TestHandlerKeepsTheContractOfSlog(t *testing.T) {
	var b *bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		b = new(bytes.Buffer)
		return New(slog.NewJSONHandler(b, nil))
	}, func(t *testing.T) (m map[string]any) {
		if err := json.Unmarshal(b.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	})
}

func TestRate(t *testing.T) {
	r, now := NewRate(3, 2), time.Unix(0, 0)
	written, leftOut := 0, 0
	for range 100 { // in ten seconds
		if r.Pass(now) {
			written++
			leftOut += r.LeftOut()
		}
		now = now.Add(100 * time.Millisecond)
	}
	leftOut += r.LeftOut()
	if written < 3+2*9 || written > 3+2*10 || written+leftOut != 100 {
		t.Errorf("%d written, %d left out", written, leftOut)
	}
}
