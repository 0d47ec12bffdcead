package wire

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink/packet"
)

// outOfStep yields packets without end, and never as many bytes that a packet ends where
// what has been read does.
type outOfStep struct {
	packet []byte
	at     int // sent so far
	total  int // to be sent
}

func (o *outOfStep) Read(p []byte) (int, error) {
	if o.at >= o.total {
		return 0, io.EOF
	}
	n := min(len(p), o.total-o.at)
	if (o.at+n)%len(o.packet) == 0 && n > 1 && o.at+n < o.total {
		n--
	}
	for i := range n {
		p[i] = o.packet[(o.at+i)%len(o.packet)]
	}
	o.at += n
	return n, nil
}

// sink notes what is written.
type sink struct {
	stream
	largest, bytes int
}

func (s *sink) Write(p []byte) (int, error) {
	s.largest, s.bytes = max(s.largest, len(p)), s.bytes+len(p)
	return len(p), nil
}

// TestAcknowledgementsDoNotPileUp: a broker sends messages with QoS 1 so that our buffer is
// never empty between two of them (attack A7: 558 MB in 32 s).
func TestAcknowledgementsDoNotPileUp(t *testing.T) {
	const n = 2_000_000
	one := []byte{packet.Publish<<4 | 2, 5, 0, 1, 't', 0, 7}
	conn := &sink{}
	conn.r = io.MultiReader(strings.NewReader("\x20\x02\x00\x00"), &outOfStep{packet: one, total: n * len(one)})
	w := New(conn, Options{WriteTimeout: time.Second, MaxInbound: 1 << 20})
	var got, peak uint64
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w.o.Deliver = func(Message) {
		if got++; got%(n/16) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		}
	}
	if _, err := io.Copy(io.Discard, w); !errors.Is(err, io.EOF) && err != nil {
		t.Fatal(err)
	}
	if got != n || conn.bytes < 4*(n-maxAcks) {
		t.Errorf("%d messages of %d, %d bytes of acknowledgements", got, n, conn.bytes)
	}
	if conn.largest > maxAcks || cap(w.acks) > 2*maxAcks {
		t.Errorf("%d bytes were written at once, %d are kept; want about %d", conn.largest, cap(w.acks), maxAcks)
	}
	if peak > 1<<20 {
		t.Errorf("%d KiB of memory for %d messages", peak>>10, n)
	}
}
