package agent

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a network between an agent and a broker.
type wire struct {
	addr string
	to   string

	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String(), to: to}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				running.Go(func() { w.carry(c) })
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.cut()
		running.Wait()
	})
	return w
}

// carry carries a connection in both directions.
func (w *wire) carry(c net.Conn) {
	defer c.Close()
	other, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer other.Close()
	w.mu.Lock()
	w.conns = append(w.conns, c, other)
	down := w.down
	w.mu.Unlock()
	if down {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, other}, {other, c}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			way[0].Close()
		})
	}
	both.Wait()
}

// cut ends all connections, and those to come.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}
