package mqttlink

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
)

// Message.Delivered is called when the broker has acknowledged a message, once, whichever
// way that was sent, and never before.
func TestDelivered(t *testing.T) {
	disk, err := outbox.Open(t.TempDir(), outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	var calls, early atomic.Int32
	var acknowledging atomic.Bool
	s := &script{answer: func(session, n int) bool { return acknowledging.Load() || n == 1 }}
	o := options(s.listen(t, nil))
	o.Outbox, o.AckTimeout, o.PoisonAfter = disk, 200*time.Millisecond, -1
	l := run(t, o)
	publish(t, l, 1, "first") // the next are sent directly
	flush(t, l)
	for _, qos := range []byte{1, 1, 0} {
		m := Message{Topic: "a/b", Payload: []byte("x"), QoS: qos, Delivered: func() {
			calls.Add(1)
			if !acknowledging.Load() && qos == 1 {
				early.Add(1)
			}
		}}
		if err := l.Publish(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	s.wait(t, "the session that follows one without acknowledgements", func() bool { return s.sessions > 1 })
	acknowledging.Store(true)
	flush(t, l)
	if calls.Load() != 3 || early.Load() != 0 {
		t.Errorf("%d calls, %d of them before the acknowledgement; want 3 and none", calls.Load(), early.Load())
	}
	if n := l.queue.deliveries.n.Load(); n != 0 {
		t.Errorf("%d receipts are left", n)
	}
}
