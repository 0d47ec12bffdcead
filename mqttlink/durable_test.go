package mqttlink

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
)

// Over an outbox on disk, what one run has accepted the next one delivers: all of
// it, in order, QoS 0 at most once, and without the commands whose life has passed.
func TestDurable(t *testing.T) {
	dir := t.TempDir()
	s := &script{}
	addr := s.listen(t, nil)
	published := 0
	life := func(l *Link, life time.Duration) {
		t.Helper()
		if err := l.Publish(t.Context(), Message{Topic: "command", Payload: []byte("late"), QoS: 1, Expiry: life}); err != nil {
			t.Fatal(err)
		}
	}
	for run := range 5 {
		box, err := outbox.Open(dir, outbox.DiskOptions{Sync: outbox.SyncAlways})
		if err != nil {
			t.Fatal(err)
		}
		o := options(addr)
		o.Outbox, o.AckTimeout, o.FlushTimeout = box, 200*time.Millisecond, time.Millisecond
		if run == 1 {
			o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, fmt.Errorf("offline") }
		}
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		if run < 4 {
			for range 100 {
				publish(t, l, byte(published%2), fmt.Sprint(published))
				published++
			}
			if run == 1 {
				life(l, time.Nanosecond)
			}
			time.Sleep(time.Duration(run) * time.Millisecond) // some are sent, some are not
		} else {
			flush(t, l)
			if n := l.Stats().Expired; n > 1 {
				t.Errorf("%d expired", n)
			}
		}
		cancel()
		<-done
		if err := box.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next, once := 0, map[string]bool{}
	for _, a := range s.got {
		var n int
		if _, err := fmt.Sscan(a.payload, &n); err != nil {
			t.Errorf("arrived: %q", a.payload)
			continue
		}
		switch {
		case a.qos == 0 && once[a.payload]:
			t.Errorf("%d arrived twice with QoS 0", n)
		case n > next:
			t.Fatalf("%d arrived, but %d has not", n, next)
		case n == next:
			next++
		}
		once[a.payload] = true
	}
	if next != published {
		t.Errorf("%d arrived, want %d", next, published)
	}
}
