package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/outbox"
	"pithings/mqttlink/wire"
)

// slowBox is an outbox on a disk that takes its time, or fails.
type slowBox struct {
	*outbox.Disk
	settle func(seq uint64, settle func(uint64) error) error
}

func (b *slowBox) Settle(seq uint64) error { return b.settle(seq, b.Disk.Settle) }

// Without a backlog a message is sent while it is being written: its answer may come
// first, and then it waits for the disk.
func TestDirect(t *testing.T) {
	disk, err := outbox.Open(t.TempDir(), outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	acked := make(chan struct{}, 10)
	s := &script{onPacket: func(p packets.ControlPacket, _ net.Conn) {
		if _, ok := p.(*packets.PublishPacket); ok {
			acked <- struct{}{}
		}
	}}
	var slow atomic.Bool
	box := &slowBox{Disk: disk, settle: func(seq uint64, settle func(uint64) error) error {
		if slow.Swap(false) {
			<-acked // the message is at the broker before it is on the disk
		}
		return settle(seq)
	}}
	o := options(s.listen(t, nil))
	o.Outbox = box
	l := run(t, o)
	publish(t, l, 1, "first") // by the usual way
	flush(t, l)
	<-acked
	slow.Store(true) // a session that begins settles, too
	for i := range 5 {
		publish(t, l, 1, fmt.Sprint(i))
	}
	flush(t, l)
	if got := s.payloads(); fmt.Sprint(got) != "[first 0 1 2 3 4]" {
		t.Errorf("%q", got)
	}
	if n := disk.Len(); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// Many publishers at once, on both ways, over sessions that break: each one's messages
// arrive in its order, none is lost, and nothing is sent more often than a window
// allows.
func TestDirectConcurrently(t *testing.T) {
	disk, err := outbox.Open(t.TempDir(), outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	s := &script{drop: func(_, n int) bool { return n == 400 }}
	o := options(s.listen(t, nil))
	o.Outbox, o.Window, o.PoisonAfter = disk, 5, -1
	l := run(t, o)
	const publishers, each = 4, 500
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				publish(t, l, 1, fmt.Sprint(p, i))
				if i%50 == 0 {
					time.Sleep(time.Millisecond) // the backlog goes
				}
			}
		})
	}
	wg.Wait()
	flush(t, l)
	var next [publishers]int
	total := 0
	for _, payload := range s.payloads() {
		var p, i int
		fmt.Sscan(payload, &p, &i)
		switch {
		case i > next[p]:
			t.Fatalf("%d of publisher %d came before %d", i, p, next[p])
		case i == next[p]:
			next[p]++
		}
		total++
	}
	for p, n := range next {
		if n != each {
			t.Errorf("%d of publisher %d arrived", n, p)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if again := total - publishers*each; again > s.sessions*o.Window {
		t.Errorf("%d duplicates in %d sessions", again, s.sessions)
	}
}

// Publish does not wait for a network that takes nothing: what is large, or more than
// the kernel has room for, goes by the usual way.
func TestStuckNetwork(t *testing.T) {
	disk, err := outbox.Open(t.TempDir(), outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	returned := make(chan struct{})
	s := &script{onPacket: func(p packets.ControlPacket, _ net.Conn) {
		if p, ok := p.(*packets.PublishPacket); ok && string(p.Payload) == "stuck" {
			<-returned // nothing is read meanwhile
		}
	}}
	o := options(s.listen(t, nil))
	o.Outbox, o.WriteTimeout, o.AckTimeout = disk, time.Minute, time.Minute
	l := run(t, o)
	publish(t, l, 1, "first") // by the usual way
	flush(t, l)
	publish(t, l, 0, "stuck") // by the direct one
	for range 2500 {          // more than the kernel has room for
		publish(t, l, 0, strings.Repeat("x", 4000))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_ = l.Flush(ctx) // as long as it takes them
		cancel()
	}
	publish(t, l, 1, strings.Repeat("x", 32<<20))
	close(returned)
	flush(t, l)
}

// A message with QoS 0 that the network takes at once is not in the outbox: all that is
// promised is that it is given to the network. One that it does not take is.
func TestHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, err := outbox.Open(t.TempDir(), outbox.DiskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		s := &script{}
		var fails atomic.Bool
		o := options("broker:1883")
		o.Outbox = disk
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := s.pipe(ctx, network, addr)
			return failing{c, &fails}, err
		}
		l, stop := s.on(t, o)
		defer stop()
		publish(t, l, 0, "0") // by the usual way
		flush(t, l)
		for i := range 6 {
			time.Sleep(time.Second) // the sender rests
			publish(t, l, byte(i%2), fmt.Sprint(i+1))
		}
		if n := disk.NextSeq() - 1; n != 4 {
			t.Errorf("%d messages were in the outbox", n)
		}
		time.Sleep(time.Second)
		fails.Store(true)
		publish(t, l, 0, "7")
		if n := disk.NextSeq() - 1; n != 5 {
			t.Errorf("%d messages were in the outbox", n)
		}
		fails.Store(false)
		flush(t, l)
		synctest.Wait() // until the other end has read it
		if got := s.payloads(); fmt.Sprint(got) != "[0 1 2 3 4 5 6 7]" {
			t.Errorf("%q", got)
		}
		if st := l.Stats(); st.Accepted != 8 || st.Acked != 8 || st.Connects != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// What is not to be queued is sent at once or not at all, and never touches the disk.
func TestUnqueuedIsNeverWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, err := outbox.Open(t.TempDir(), outbox.DiskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		s := &script{}
		o := options("broker:1883")
		o.Outbox = disk
		l, stop := s.on(t, o)
		publish(t, l, 1, "a")
		flush(t, l)
		time.Sleep(time.Second)
		m := Message{Topic: "t", Payload: []byte("now"), Unqueued: true}
		if err := l.Publish(t.Context(), m); err != nil {
			t.Error(err)
		}
		flush(t, l)
		synctest.Wait() // until the other end has read it
		if got := s.payloads(); fmt.Sprint(got) != "[a now]" {
			t.Errorf("%q", got)
		}
		stop()
		idle, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := idle.Publish(t.Context(), m); !errors.Is(err, ErrUnqueued) {
			t.Errorf("without a connection: %v", err)
		}
		if n := disk.NextSeq() - 1; n != 1 {
			t.Errorf("%d messages were in the outbox", n)
		}
	})
}

// What is not to be queued needs no queued message before it in its session: nor the first
// one on a fresh disk, nor one after a restart with an empty outbox.
func TestUnqueuedIsTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, err := outbox.Open(t.TempDir(), outbox.DiskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		for _, before := range []string{"", "a"} {
			s := &script{}
			o := options("broker:1883")
			o.Outbox = disk
			l, stop := s.on(t, o)
			time.Sleep(time.Second)
			if err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte("now"), Unqueued: true}); err != nil {
				t.Errorf("after %q: %v", before, err)
			}
			publish(t, l, 1, "a") // is in the outbox of the next session, sent and done
			flush(t, l)
			if got := s.payloads(); fmt.Sprint(got) != "[now a]" {
				t.Errorf("after %q: %q", before, got)
			}
			stop()
		}
	})
}

// A message with a life is written a moment after the network has taken it, answered or
// not, and also if the session ends meanwhile. Others are written before Publish returns,
// and so are all if the outbox syncs always.
func TestWrittenLater(t *testing.T) {
	for _, test := range []struct {
		name   string
		sync   outbox.Sync
		life   time.Duration
		answer bool
		cut    bool
		later  bool
	}{
		{"a command", outbox.SyncInterval, time.Minute, true, false, true},
		{"one without an answer", outbox.SyncInterval, time.Minute, false, false, true},
		{"the session ends", outbox.SyncInterval, time.Minute, false, true, true},
		{"a reading", outbox.SyncInterval, 0, true, false, false},
		{"always", outbox.SyncAlways, time.Minute, true, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk, err := outbox.Open(t.TempDir(), outbox.DiskOptions{Sync: test.sync})
				if err != nil {
					t.Fatal(err)
				}
				defer disk.Close()
				var written atomic.Uint64
				box := &slowBox{Disk: disk, settle: func(seq uint64, settle func(uint64) error) error {
					err := settle(seq)
					written.Store(max(written.Load(), seq))
					return err
				}}
				s := &script{answer: func(session, n int) bool { return session > 1 || n < 2 || test.answer }}
				s.drop = func(session, n int) bool { return test.cut && session == 1 && n == 2 }
				o := options("broker:1883")
				o.Outbox = box
				var away atomic.Bool
				o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if away.Load() {
						return nil, errors.New("the broker is away")
					}
					return s.pipe(ctx, network, addr)
				}
				l, stop := s.on(t, o)
				defer stop()
				publish(t, l, 1, "1") // by the usual way
				flush(t, l)
				time.Sleep(time.Second) // the sender rests
				away.Store(test.cut)
				written.Store(0)
				if err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte("2"), QoS: 1, Expiry: test.life}); err != nil {
					t.Fatal(err)
				}
				if later := written.Load() == 0; later != test.later && !test.cut { // that happens at once
					t.Errorf("written later: %v", later)
				}
				time.Sleep(2 * behind)
				synctest.Wait()
				if written.Load() != 2 {
					t.Error("it is not written")
				}
				want := 2
				away.Store(false)
				if !test.answer && !test.cut { // then the broker has not got it the first time
					want = 3
				}
				flush(t, l)
				if got := s.payloads(); len(got) != want {
					t.Errorf("the broker got %q", got)
				}
				if n := disk.Len(); n != 0 {
					t.Errorf("%d messages are left", n)
				}
			})
		})
	}
}

// failing is a connection whose writes can be made to fail.
type failing struct {
	net.Conn
	fails *atomic.Bool
}

var _ wire.Gauge = failing{}

func (c failing) Unsent() (n int, ok bool) { return 0, true }

func (c failing) Write(b []byte) (int, error) {
	if c.fails.Load() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}
