package broker

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// heap is what is in use after two collections: the first one empties pools halfway.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestCostsAreTrue measures what is counted for each thing that a client can make the
// broker keep: no less than it takes, and not many times as much.
func TestCostsAreTrue(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector's memory is measured, too")
	}
	for name, one := range map[string]struct {
		most float64 // counted for a byte that is taken
		do   func(w *wire, i int)
		each bool // on a connection of its own
		n    int  // as many as make what is measured large beside the stacks that come and go
	}{
		"connection": {4, func(w *wire, i int) {}, true, 200},
		"client":     {4, func(w *wire, i int) { w.connect(fmt.Sprint("c", i), 2) }, true, 200},
		"session": {3, func(w *wire, i int) {
			w.connect(fmt.Sprint("s", i), 0)
			w.subscribe(1, fmt.Sprintf("s/%d", i))
			w.send([]byte{0xe0, 0})
			w.closed()
		}, true, 200},
		"filter":          {4, func(w *wire, i int) { w.subscribe(1, fmt.Sprintf("a/b/c/%d", i)) }, false, 1000},
		"distinct levels": {3, func(w *wire, i int) { w.subscribe(1, fmt.Sprintf("%d%s", i, strings.Repeat("/x", 20))) }, false, 200},
		"retained":        {3, func(w *wire, i int) { w.retain(fmt.Sprint("r/", i), "x") }, false, 10_000},
		"large retained":  {1.5, func(w *wire, i int) { w.retain(fmt.Sprint("l/", i), strings.Repeat("x", 20_000)) }, false, 200},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			w := dialWire(t, b.Addr())
			if !one.each {
				w.connect("one", 2)
			}
			for i := range 3 { // what is made once
				if one.each {
					one.do(dialWire(t, b.Addr()), 1_000_000+i)
				} else {
					one.do(w, 1_000_000+i)
				}
			}
			settle(t, b) // and with it what the broker before leaves
			memory, counted := heap(), b.Stats().Used
			var conns []net.Conn // without the buffers of this end
			for i := range one.n {
				c := w
				if one.each {
					c = dialWire(t, b.Addr())
					conns = append(conns, c.Conn)
				}
				one.do(c, i)
			}
			settle(t, b)
			memory, counted = heap()-memory, b.Stats().Used-counted
			t.Logf("each takes %d bytes, %d are counted", memory/int64(one.n), counted/int64(one.n))
			if counted < memory || float64(counted) > one.most*float64(memory) {
				t.Errorf("%d bytes are counted for %d", counted, memory)
			}
			runtime.KeepAlive(conns)
		})
	}
}

// retain publishes a retained message with QoS 1.
func (w *wire) retain(topic, payload string) {
	w.Helper()
	w.send(publishPacket(topic, []byte(payload), 1, 1, true))
	w.await(4)
}

// settle waits until the broker has finished with the connections that are closed.
func settle(t *testing.T, b *Broker) {
	t.Helper()
	last := b.Stats()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond) // the ends of goroutines cannot be awaited
		now := b.Stats()
		if now == last {
			return
		}
		last = now
	}
	t.Fatal("the broker does not come to rest")
}
