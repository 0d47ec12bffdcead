package rogue

import (
	"context"
	"strings"
	"sync"
	"time"

	"pithings/mqttlink/packet"
)

// Bounds of what is kept of what a broker sends.
const (
	maxMarked  = 4096 // messages that carry a mark of ours
	maxOthers  = 64   // other messages
	maxPayload = 1024 // bytes of a payload
	maxTopic   = 256  // bytes of a topic
	maxSubacks = 256
)

// message is one that has come.
type message struct {
	topic, payload string
	retained       bool
}

// inbox is what has come on a connection.
type inbox struct {
	connack int // the return code; -1: none
	pongs   int
	pubacks map[uint16]bool
	subacks map[uint16][]byte
	marked  []message
	others  []message
	err     error // why nothing more comes
}

// heard reports whether a message with a mark has come.
func (in *inbox) heard(mark string) bool { return in.count(mark) > 0 }

// count is how many messages with a mark have come.
func (in *inbox) count(mark string) (n int) {
	for i := range in.marked {
		if strings.Contains(in.marked[i].payload, mark) {
			n++
		}
	}
	return n
}

// kept is how many retained messages with a mark have come.
func (in *inbox) kept(mark string) (n int) {
	for i := range in.marked {
		if in.marked[i].retained && strings.Contains(in.marked[i].payload, mark) {
			n++
		}
	}
	return n
}

// system returns the topic of a message of the broker about itself.
func (in *inbox) system(prefix string) (topic string, ok bool) {
	for _, m := range in.others {
		if strings.HasPrefix(m.topic, prefix) {
			return m.topic, true
		}
	}
	return "", false
}

func (in *inbox) publish(m *packet.Message) {
	payload := m.Payload[:min(len(m.Payload), maxPayload)]
	one := message{topic: m.Topic[:min(len(m.Topic), maxTopic)], payload: string(payload), retained: m.Retain}
	switch {
	case strings.Contains(one.payload, markPrefix):
		if len(in.marked) < maxMarked {
			in.marked = append(in.marked, one)
		}
	case len(in.others) < maxOthers || strings.HasPrefix(one.topic, "$") && len(in.others) < 2*maxOthers:
		in.others = append(in.others, one)
	}
}

// markPrefix begins the marks of all our messages.
const markPrefix = "pithings-rogue-"

// board is an inbox that is waited at.
type board struct {
	mu      sync.Mutex
	in      inbox
	changed chan struct{} // closed at the next change
}

func newBoard() *board {
	return &board{
		in:      inbox{connack: -1, pubacks: map[uint16]bool{}, subacks: map[uint16][]byte{}},
		changed: make(chan struct{}),
	}
}

// change changes the inbox.
func (b *board) change(f func(*inbox)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.in)
	close(b.changed)
	b.changed = make(chan struct{})
}

// await waits until is holds, and reports whether it does. It does not wait when nothing more can
// come.
func (b *board) await(ctx context.Context, limit time.Duration, is func(*inbox) bool) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		b.mu.Lock()
		holds, over, changed := is(&b.in), b.in.err != nil, b.changed
		b.mu.Unlock()
		if holds || over {
			return holds
		}
		select {
		case <-changed:
		case <-t.C:
			return b.now(is) // what came meanwhile counts
		case <-ctx.Done():
			return false
		}
	}
}

// now reports whether is holds.
func (b *board) now(is func(*inbox) bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return is(&b.in)
}
