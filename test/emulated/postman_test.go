//go:build emulated

package emulated

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/test/emulated/guest"
	"pithings/test/mosquitto"
)

// postman stands between a guest and its broker. It notes the length that the record
// of the guest's disk had when it let the acknowledgement of a message through: what
// is in the record before cannot depend on it. Now and then it lets no connection through.
type postman struct {
	t      *testing.T
	l      net.Listener
	broker string
	length func() int64

	mu        sync.Mutex
	away      bool
	conns     map[net.Conn]bool
	delivered map[string]int64 // payloads by the length before their first acknowledgement
	group     sync.WaitGroup
}

// newPostman starts one that is there and away for these times, in turns.
func newPostman(t *testing.T, broker *mosquitto.Broker, length func() int64, there, away time.Duration) *postman {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postman{t: t, l: l, broker: fmt.Sprintf("127.0.0.1:%d", broker.Port), length: length,
		conns: map[net.Conn]bool{}, delivered: map[string]int64{}}
	stop := make(chan struct{})
	p.group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.group.Go(func() { p.serve(c) })
		}
	})
	p.group.Go(func() {
		for gone := false; ; gone = !gone {
			p.setAway(gone)
			wait := there
			if gone {
				wait = away
			}
			select {
			case <-time.After(wait):
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		l.Close()
		p.setAway(true)
		p.group.Wait()
	})
	return p
}

// count is how many messages are delivered so far.
func (p *postman) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.delivered)
}

// address is how the guest reaches it.
func (p *postman) address() string {
	return fmt.Sprintf("%s:%d", guest.HostAddress, p.l.Addr().(*net.TCPAddr).Port)
}

// setAway closes all connections, and those that come, while it is away.
func (p *postman) setAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	if away {
		for c := range p.conns {
			c.Close()
		}
	}
}

// keep lets setAway close a connection.
func (p *postman) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	if p.away {
		c.Close()
	}
}

func (p *postman) serve(c net.Conn) {
	b, err := net.Dial("tcp", p.broker)
	if err != nil {
		c.Close()
		return
	}
	p.keep(c)
	p.keep(b)
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range []net.Conn{b, c} {
			c.Close()
			delete(p.conns, c)
		}
	}()
	var mu sync.Mutex
	sent := map[uint16]string{}
	p.group.Go(func() {
		defer c.Close()
		for {
			packet, err := packets.ReadPacket(b)
			if err != nil {
				return
			}
			if ack, ok := packet.(*packets.PubackPacket); ok {
				mu.Lock()
				payload := sent[ack.MessageID]
				mu.Unlock()
				p.mu.Lock()
				if _, again := p.delivered[payload]; !again {
					p.delivered[payload] = p.length()
				}
				p.mu.Unlock()
			}
			if packet.Write(c) != nil {
				return
			}
		}
	})
	for {
		packet, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		if m, ok := packet.(*packets.PublishPacket); ok {
			mu.Lock()
			sent[m.MessageID] = string(m.Payload)
			mu.Unlock()
		}
		if packet.Write(b) != nil {
			return
		}
	}
}
