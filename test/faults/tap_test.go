//go:build faults && linux

package faults

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// tap is a way to a broker on which a test can stop at a certain message of jobs, or at one that
// begins a session, and cut the connection there. It can be shut for new connections.
type tap struct {
	net.Listener
	to string // the broker's address

	mu      sync.Mutex
	shut    bool
	next    *stop
	conns   map[net.Conn]bool
	running sync.WaitGroup
}

// stop is a place in what passes a tap.
type stop struct {
	after   int           // so many messages
	deliver bool          // the message there arrives
	cut     bool          // the connection ends there
	reached chan struct{} // closed there
	resume  chan struct{} // what has been stopped waits for this to be closed
}

// newTap returns a tap before the broker at an address.
func newTap(t *testing.T, to string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &tap{Listener: l, to: to, conns: map[net.Conn]bool{}}
	w.running.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.setShut(true)
		w.mu.Lock()
		if w.next != nil {
			close(w.next.resume)
		}
		for c := range w.conns {
			c.Close()
		}
		w.mu.Unlock()
		w.running.Wait()
	})
	return w
}

func (w *tap) accept() {
	for {
		from, err := w.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", w.to)
		if err != nil {
			from.Close()
			continue
		}
		w.mu.Lock()
		if w.shut {
			from.Close()
			to.Close()
		} else {
			w.conns[from], w.conns[to] = true, true
			w.running.Go(func() { w.carry(from, to) })
			w.running.Go(func() { w.carry(to, from) })
		}
		w.mu.Unlock()
	}
}

// setShut refuses new connections, or takes them again.
func (w *tap) setShut(shut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = shut
}

// stopAt stops at a place from now on.
func (w *tap) stopAt(s *stop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = s
}

// pass takes a stop away again, and reports whether nothing has come to it.
func (w *tap) pass(s *stop) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	passed := w.next == s
	if passed {
		w.next = nil
	}
	return passed
}

// carry carries packets in one direction until either end is closed.
func (w *tap) carry(from, to net.Conn) {
	defer func() {
		from.Close()
		to.Close()
		w.mu.Lock()
		delete(w.conns, from)
		delete(w.conns, to)
		w.mu.Unlock()
	}()
	for r := bufio.NewReader(from); ; {
		packet, err := readPacket(r)
		if err != nil {
			return
		}
		s := w.here(packet)
		if s == nil || s.deliver {
			if _, err := to.Write(packet); err != nil && s == nil {
				return
			}
		}
		if s == nil {
			continue
		}
		close(s.reached)
		if !s.cut {
			<-s.resume
		}
		return
	}
}

// here returns the stop that a packet has reached; nil: none.
func (w *tap) here(packet []byte) *stop {
	if !ofJobs(packet) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.next
	if s == nil {
		return nil
	}
	if s.after--; s.after >= 0 {
		return nil
	}
	w.next = nil
	return s
}

// ofJobs reports whether a packet is one of a session's beginning, or of a job.
func ofJobs(packet []byte) bool {
	switch packet[0] >> 4 {
	case 1, 2, 8, 9: // CONNECT, CONNACK, SUBSCRIBE, SUBACK
		return true
	case 3: // PUBLISH
		body := packet[1:]
		for body[0]&0x80 != 0 {
			body = body[1:]
		}
		body = body[1:]
		return len(body) >= 2 && len(body) >= 2+int(binary.BigEndian.Uint16(body)) && strings.Contains(string(body[2:2+binary.BigEndian.Uint16(body)]), "/jobs/")
	}
	return false
}

// readPacket reads a packet of MQTT as it is.
func readPacket(r *bufio.Reader) ([]byte, error) {
	var head []byte
	length := 0
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		head = append(head, b)
		if len(head) == 1 {
			shift -= 7
			continue
		}
		length |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
	}
	packet := append(head, make([]byte, length)...)
	_, err := io.ReadFull(r, packet[len(head):])
	return packet, err
}
