package broker

import (
	"fmt"
	"testing"
)

// BenchmarkDelivery is one message after the other through the broker: from a client
// to itself, with QoS 0; to its acknowledgement, with QoS 1; and to 50 subscribers.
func BenchmarkDelivery(b *testing.B) {
	b.Run("QoS 0", func(b *testing.B) {
		w := benchClient(b, start(b), "x", 0)
		m := publishPacket("x", make([]byte, 256), 0, 0, false)
		for b.Loop() {
			w.send(m)
			w.await(3)
		}
	})
	b.Run("acknowledged", func(b *testing.B) {
		w := benchClient(b, start(b), "", 0)
		m := publishPacket("x", make([]byte, 256), 1, 1, false)
		for b.Loop() {
			w.send(m)
			w.await(4)
		}
	})
	for _, size := range []int{256, 100_000} {
		b.Run(fmt.Sprintf("50 subscribers, %d B", size), func(b *testing.B) {
			br := start(b)
			var subs []*wire
			for range 50 {
				subs = append(subs, benchClient(b, br, "x", 1))
			}
			p := benchClient(b, br, "", 0)
			m := publishPacket("x", make([]byte, size), 1, 1, false)
			for b.Loop() {
				p.send(m)
				p.await(4)
				for _, s := range subs {
					_, _, id := s.await(3).message()
					s.send([]byte{0x40, 2, byte(id >> 8), byte(id)})
				}
			}
		})
	}
}

func benchClient(b *testing.B, br *Broker, filter string, qos byte) *wire {
	w := dialWire(b, br.Addr())
	w.connect("", 2) // a name of its own
	if filter != "" {
		w.subscribe(qos, filter)
	}
	return w
}
