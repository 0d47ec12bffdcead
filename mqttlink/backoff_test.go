package mqttlink

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// top makes jitter take its bound.
func top() float64 { return 1 }

func TestBackoffWaits(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    Backoff
		want []int // seconds
	}{
		{"defaults", Backoff{}, []int{1, 2, 4, 8, 16, 32, 32, 32}},
		{"bound that is no power of two", Backoff{Min: 2 * time.Second, Max: 10 * time.Second}, []int{2, 4, 8, 10, 10}},
		{"bound below the start", Backoff{Min: 5 * time.Second, Max: time.Second}, []int{5, 5}},
	} {
		tt.b.random = top
		b := tt.b.withDefaults()
		var got []int
		for i := range tt.want {
			got = append(got, int(b.wait(i)/time.Second))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		b.random = func() float64 { return 0 }
		if w := b.wait(5); w != 0 {
			t.Errorf("%s: the jitter does not reach down to nothing: %v", tt.name, w)
		}
	}
}

// The first connect is tried again like any other; a stable connection starts the
// back-off anew, a short one does not.
func TestReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var attempts []time.Duration
		hold := []time.Duration{0, 0, 0, 5 * time.Second, 25 * time.Second, 0, 0} // 0: refused
		s := &script{}
		o := options("broker:1883")
		o.Backoff = Backoff{random: top}
		o.Dial = func(ctx context.Context, n, a string) (net.Conn, error) {
			i := len(attempts)
			attempts = append(attempts, time.Since(start))
			if i >= len(hold) || hold[i] == 0 {
				return nil, syscall.ECONNREFUSED
			}
			c, err := s.pipe(ctx, n, a)
			time.AfterFunc(hold[i], func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.conns[len(s.conns)-1].Close()
			})
			return c, err
		}
		var states []string
		o.OnState = func(s State) { states = append(states, s.String()) }
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		time.Sleep(62 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		s.wg.Wait()
		// 0 +1 =1 +2 =3 +4 =7, holds 5 to 12, +8 =20, holds 25 to 45 (stable),
		// +1 =46 +2 =48 +4 …
		var got []int
		for _, a := range attempts {
			got = append(got, int(a.Round(time.Second)/time.Second))
		}
		if want := []int{0, 1, 3, 7, 20, 46, 48, 52, 60}; !slices.Equal(got, want) {
			t.Errorf("attempts at %v s, want %v", got, want)
		}
		if got, want := strings.Join(states[:8], " "), "connecting offline connecting offline connecting offline connecting online"; got != want {
			t.Errorf("states %s, want %s", got, want)
		}
		if last := states[len(states)-1]; last != "ended" || l.State() != Ended {
			t.Errorf("last state %s", last)
		}
	})
}

// An hour without a network writes few lines, and those say how long it lasts.
func TestAnHourOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		n := 0
		o := options("broker:1883")
		o.Log = log.logger()
		o.Backoff = Backoff{}
		o.Dial = func(context.Context, string, string) (net.Conn, error) {
			n++
			if n%3 == 0 {
				return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
			}
			return nil, syscall.ECONNREFUSED
		}
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		l.Run(ctx)
		lines := log.lines()
		if len(lines) > 20 || len(lines) < 4 || n < 200 {
			t.Errorf("%d lines for %d attempts:\n%s", len(lines), n, strings.Join(lines, "\n"))
		}
		if !strings.Contains(lines[len(lines)-1], "repeated=") {
			t.Errorf("the last line does not count: %s", lines[len(lines)-1])
		}
	})
}

// The seeds' "2 Hz" means two a second, for the backlog only.
func TestDrainRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		o := options("broker:1883")
		o.Dial, o.Drain = s.pipe, 2
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		publish(t, l, 1, numbers(21)...)
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		go l.Run(ctx)
		if err := l.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("21 messages took %s, want 10s", d)
		}
		synctest.Wait()
		start = time.Now()
		publish(t, l, 1, numbers(100)...)
		if err := l.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("100 live messages took %s, want none", d)
		}
		cancel()
		s.wg.Wait()
	})
}

// At most a window is on its way at a time.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(int, int) bool { return false }}
		o := options("broker:1883")
		o.Dial, o.Window, o.AckTimeout = s.pipe, 3, time.Hour
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		publish(t, l, 1, numbers(10)...)
		synctest.Wait()
		if got := s.payloads(); len(got) != 3 {
			t.Errorf("%d messages sent without acknowledgement, want 3", len(got))
		}
		if err := l.Flush(timeout(ctx, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush: %v", err)
		}
		start := time.Now()
		cancel()
		<-done
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("the end took %s with a broker that does not acknowledge", d)
		}
		s.wg.Wait()
	})
}

func timeout(ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// A link so slow that an acknowledgement takes longer than the time-out must
// still get through: the time-out grows until one has come.
func TestSlowLinkGetsThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(int, int) bool { time.Sleep(30 * time.Second); return true }}
		o := options("broker:1883")
		o.Dial, o.Window = s.pipe, 1
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		publish(t, l, 1, "a", "b")
		if err := l.Flush(timeout(ctx, 10*time.Minute)); err != nil {
			t.Error(err)
		}
		if n := l.Stats().Connects; n != 4 { // 5, 10, 20, 40 s
			t.Errorf("%d sessions, want 4", n)
		}
		cancel()
		s.wg.Wait()
	})
}

// A broker that vanishes without a word is noticed by the keep-alive.
func TestHalfOpenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		s := &script{onPacket: func(_ packets.ControlPacket, c net.Conn) {
			if dead.Load() {
				io.Copy(io.Discard, c) // what is sent still vanishes somewhere
			}
		}}
		var log logBuffer
		o := options("broker:1883")
		o.Dial, o.Log = s.pipe, log.logger()
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		time.Sleep(time.Second)
		dead.Store(true)
		time.Sleep(time.Minute)
		if all := strings.Join(log.lines(), "\n"); !strings.Contains(all, "no longer answers") || !strings.Contains(all, "gave no answer within 10s") {
			t.Errorf("log after a minute:\n%s", all)
		}
		cancel()
		<-done
		s.wg.Wait()
	})
}

// Whoever reads the log's last line must know whether there is a connection, also
// while the lines of a flapping one are held back.
func TestLogEndsWithTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		var log logBuffer
		o := options("broker:1883")
		o.Dial, o.Log = s.pipe, log.logger()
		s.onConnect = func(session int, c net.Conn) {
			if session < 10 {
				time.AfterFunc(time.Second, func() { c.Close() })
			}
		}
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		time.Sleep(time.Hour)
		lines := log.lines()
		if !l.Connected() || !strings.Contains(lines[len(lines)-1], "connected") || len(lines) > 20 {
			t.Errorf("connected %v, %d lines:\n%s", l.Connected(), len(lines), strings.Join(lines, "\n"))
		}
		cancel()
		<-done
		s.wg.Wait()
	})
}
