package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink/outbox"
)

func TestLives(t *testing.T) {
	s := time.Second
	for _, tt := range []struct {
		name    string
		lives   []time.Duration
		offline time.Duration
		drain   float64
		want    string
	}{
		{"readings live for ever", []time.Duration{0, 0, 0}, 1000 * time.Hour, 0, "012"},
		{"commands that are too late", []time.Duration{10 * s, 0, 10 * s, 30 * s, 0}, 20 * s, 0, "134"},
		{"exactly at the end", []time.Duration{20 * s, 20*s + 1}, 20 * s, 0, "1"},
		{"all too late", []time.Duration{s, s}, 2 * s, 0, ""},
		{"passed while the backlog drains", []time.Duration{0, 0, 0, 1500 * time.Millisecond, 0, 1500 * time.Millisecond, 5 * s}, 0, 1, "01246"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc := &script{}
				o := options("broker:1883")
				o.Dial, o.Drain = sc.pipe, tt.drain
				l, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				for i, life := range tt.lives {
					if err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte(fmt.Sprint(i)), QoS: 1, Expiry: life}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(tt.offline)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- l.Run(ctx) }()
				if err := l.Flush(timeout(ctx, time.Hour)); err != nil {
					t.Fatal(err)
				}
				cancel()
				<-done
				sc.wg.Wait()
				if got := strings.Join(sc.payloads(), ""); got != tt.want {
					t.Errorf("arrived %s, want %s", got, tt.want)
				}
				if st := l.Stats(); st.Expired != uint64(len(tt.lives)-len(tt.want)) || st.Acked != uint64(len(tt.want)) {
					t.Errorf("%d expired, %d delivered", st.Expired, st.Acked)
				}
				if len(l.queue.expiries.until) > 0 {
					t.Errorf("%d lives are remembered", len(l.queue.expiries.until))
				}
			})
		})
	}
}

// What was sent, lost its acknowledgement, and is too late by the next session is
// not sent again.
func TestLifePassesBeforeTheRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(session, _ int) bool { return session > 1 }}
		o := options("broker:1883")
		l, stop := s.on(t, o)
		for i, life := range []time.Duration{0, time.Second, time.Hour} {
			if err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte(fmt.Sprint(i)), QoS: 1, Expiry: life}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Flush(timeout(t.Context(), time.Minute)); err != nil {
			t.Fatal(err)
		}
		stop()
		if got := strings.Join(s.payloads(), ""); got != "01202" {
			t.Errorf("arrived %s, want 012, then 0 and 2 again", got)
		}
	})
}

func TestLifeThatCannotBe(t *testing.T) {
	l, err := New(options("broker:1883"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Publish(t.Context(), Message{Topic: "t", Expiry: -time.Second}); err == nil || !strings.Contains(err.Error(), "-1s") {
		t.Error(err)
	}
}

// A life that began in an earlier run is counted by the wall clock, and if that
// does not tell the age the message is too old.
func TestLifeFromEarlierRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		o := options("broker:1883")
		o.Outbox = outbox.NewMemory(outbox.Limits{})
		now := time.Now()
		for i, r := range []outbox.Record{
			{Expiry: time.Minute, Time: now.Add(-30 * time.Second)},
			{Expiry: time.Minute, Time: now.Add(-90 * time.Second)},
			{Expiry: time.Minute, Time: now.Add(time.Hour)}, // the clock has been set back
			{Time: now.Add(-1000 * time.Hour)},
		} {
			r.Topic, r.Payload, r.QoS = "t", []byte(fmt.Sprint(i)), 1
			if _, err := o.Outbox.Append(r); err != nil {
				t.Fatal(err)
			}
		}
		l, stop := s.on(t, o)
		if err := l.Flush(timeout(t.Context(), time.Minute)); err != nil {
			t.Fatal(err)
		}
		stop()
		if got := strings.Join(s.payloads(), ""); got != "03" {
			t.Errorf("arrived %s, want 03", got)
		}
		if !l.queue.expiries.over(outbox.Record{Seq: 99, Expiry: time.Minute}) {
			t.Error("one made before the clock was known is not over")
		}
	})
}

// What is dropped from the box does not stay in the link.
func TestLivesAreForgotten(t *testing.T) {
	o := options("broker:1883")
	o.MaxQueued, o.Drop = 10, outbox.DropOldest
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		if err := l.Publish(t.Context(), Message{Topic: "t", Expiry: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(l.queue.expiries.until); n > 1100 {
		t.Errorf("%d lives of 10 messages", n)
	}
}

// heldBox is a box whose disk is away.
type heldBox struct {
	*outbox.Memory
	handed, restored uint64
}

func (b *heldBox) Append(r outbox.Record) (uint64, error) {
	seq, err := b.Memory.Append(r)
	return seq, errors.Join(err, fmt.Errorf("disk away: %w", outbox.ErrUnsaved))
}
func (b *heldBox) SetHanded(seq uint64) { b.handed = seq }
func (b *heldBox) Handed() uint64       { return b.restored }

// A message that is held in memory only is taken, sent, and said to be held.
func TestHeldMessagesAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		o := options("broker:1883")
		o.Outbox = &heldBox{Memory: outbox.NewMemory(outbox.Limits{})}
		l, stop := s.on(t, o)
		for _, life := range []time.Duration{0, time.Hour} {
			err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte("a"), QoS: 1, Expiry: life})
			if !errors.Is(err, ErrUnsaved) {
				t.Errorf("%v, want ErrUnsaved", err)
			}
		}
		if err := l.Flush(timeout(t.Context(), time.Minute)); err != nil {
			t.Error(err)
		}
		stop()
		if st := l.Stats(); st.Accepted != 2 || st.Refused != 0 || st.Acked != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// QoS 0 is safe until it has been given to the network, and not sent again after
// that: not in the next session, and not by the next process.
func TestQoS0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(session, _ int) bool { return session > 1 }}
		o := options("broker:1883")
		box := &heldBox{Memory: outbox.NewMemory(outbox.Limits{})}
		o.Outbox, o.Window = box, 3
		for i, qos := range []byte{0, 1, 0, 1, 0} { // the window ends before the last one
			if _, err := box.Memory.Append(outbox.Record{Topic: "t", Payload: []byte(fmt.Sprint(i)), QoS: qos}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour) // offline
		l, stop := s.on(t, o)
		if err := l.Flush(timeout(t.Context(), time.Minute)); err != nil {
			t.Error(err)
		}
		stop()
		if got := strings.Join(s.payloads(), ""); got != "0123134" {
			t.Errorf("arrived %s, want 0123, then 1 and 3 again, then 4", got)
		}
		if box.handed != 5 {
			t.Errorf("the box knows of QoS 0 up to %d, want 5", box.handed)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		o := options("broker:1883")
		box := &heldBox{Memory: outbox.NewMemory(outbox.Limits{}), restored: 3}
		o.Outbox = box
		for i, qos := range []byte{1, 0, 0, 0} {
			if _, err := box.Memory.Append(outbox.Record{Topic: "t", Payload: []byte(fmt.Sprint(i)), QoS: qos}); err != nil {
				t.Fatal(err)
			}
		}
		l, stop := s.on(t, o)
		if err := l.Flush(timeout(t.Context(), time.Minute)); err != nil {
			t.Error(err)
		}
		stop()
		if got := s.payloads(); !slices.Equal(got, []string{"0", "3"}) {
			t.Errorf("arrived %v after a restart, want 0 and 3", got)
		}
	})
}
