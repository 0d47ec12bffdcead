//go:build faults && linux

package faults

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/test/binary"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// watcher is a subscriber of everything, with a session that the broker keeps for
// it: what is published while one of them is down comes later. It speaks the bare
// protocol, so that nothing between the wire and the test sorts, drops or repeats.
type watcher struct {
	socket, id string
	arrived    func(topic string, payload []byte) // in the order of arrival

	connected chan struct{} // closed when the broker knows the subscription
	once      sync.Once

	// What was received under a packet identifier last: a broker that did not get
	// the PUBACK sends that again, with the DUP flag, after a reconnect.
	last map[uint16][sha256.Size]byte
}

// watch subscribes until the test ends, and returns when the broker has the
// session.
func watch(t *testing.T, m *mosquitto, id string, arrived func(topic string, payload []byte)) {
	t.Helper()
	w := &watcher{socket: m.socket, id: id, arrived: arrived, connected: make(chan struct{}), last: map[uint16][sha256.Size]byte{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := w.session(ctx); err != nil && ctx.Err() == nil && errors.As(err, new(refused)) {
				t.Error(err)
				return
			}
			sleep(ctx, 20*time.Millisecond)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	select {
	case <-w.connected:
	case <-time.After(binary.Patience):
		t.Fatal("the watcher was not subscribed")
	}
}

// refused says that the broker does not do what the test is built upon.
type refused string

func (r refused) Error() string { return string(r) }

// session is one connection with the broker.
func (w *watcher) session(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "unix", w.socket)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()

	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.ClientIdentifier = "MQTT", 4, w.id
	if err := connect.Write(c); err != nil {
		return err
	}
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return err
		}
		switch p := p.(type) {
		case *packets.ConnackPacket:
			if p.ReturnCode != 0 {
				return refused(fmt.Sprintf("the broker refuses the watcher: %d", p.ReturnCode))
			}
			if p.SessionPresent {
				continue
			}
			select {
			case <-w.connected:
				return refused("the broker has forgotten the watcher's session")
			default:
			}
			subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
			subscribe.MessageID, subscribe.Topics, subscribe.Qoss = 1, []string{"#"}, []byte{1}
			if err := subscribe.Write(c); err != nil {
				return err
			}
		case *packets.SubackPacket:
			if len(p.ReturnCodes) != 1 || p.ReturnCodes[0] != 1 {
				return refused(fmt.Sprintf("the broker grants %v", p.ReturnCodes))
			}
			w.once.Do(func() { close(w.connected) })
		case *packets.PublishPacket:
			sum := sha256.Sum256(append([]byte(p.TopicName+"\x00"), p.Payload...))
			last, known := w.last[p.MessageID]
			status := strings.HasSuffix(p.TopicName, "/status") // whether the agent is there: no message of the outbox
			if again := p.Dup && known && last == sum; !again && !status {
				w.arrived(p.TopicName, p.Payload)
			}
			if p.Qos > 0 {
				w.last[p.MessageID] = sum
				ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				ack.MessageID = p.MessageID
				if err := ack.Write(c); err != nil {
					return err
				}
			}
		}
	}
}
