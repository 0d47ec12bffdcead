package mqttlink

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/outbox"
)

// TestNewestStateKeepsItsTopic: with live first, what is late is history; but the state that
// the broker keeps has to be the present one after an outage, too (iotedge#835).
func TestNewestStateKeepsItsTopic(t *testing.T) {
	for _, tc := range []struct{ name, backlog, live, want string }{
		// A letter is a topic, in upper case retained; the number its place.
		{"one state", "A1 b2 A3", "", "a/history1 b/history2 A3"},
		{"two states", "A1 B2 A3", "", "a/history1 B2 A3"},
		{"none", "a1 a2", "", "a/history1 a/history2"},
		{"a newer one is not retained", "A1 a2", "", "A1 a/history2"},
		{"a newer one is live", "A1 B2", "A3 c4", "A3 c4 a/history1 B2"},
	} {
		for _, qos := range []byte{0, 1} {
			t.Run(fmt.Sprint(tc.name, " QoS ", qos), func(t *testing.T) {
				box := outbox.NewMemory(outbox.Limits{Messages: -1})
				online := make(chan struct{})
				s := &script{}
				o := options(s.listen(t, nil))
				o.LiveFirst, o.Outbox, o.Window = true, box, 1 // what was sent has left the outbox
				for _, m := range strings.Fields(tc.backlog) { // of an earlier process
					if _, err := box.Append(outbox.Record{Topic: strings.ToLower(m[:1]), Payload: []byte(m[1:]), QoS: qos, Retain: m[0] < 'a'}); err != nil {
						t.Fatal(err)
					}
				}
				var l *Link
				var err error
				o.OnState = func(st State) { // before anything is sent
					if st != Online {
						return
					}
					for _, m := range strings.Fields(tc.live) {
						_ = l.Publish(context.Background(), Message{Topic: strings.ToLower(m[:1]), Payload: []byte(m[1:]), QoS: qos, Retain: m[0] < 'a'})
					}
					close(online)
				}
				if l, err = New(o); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- l.Run(ctx) }()
				<-online
				flush(t, l)
				cancel()
				<-ended
				want := strings.Fields(tc.want)
				s.wait(t, "all messages", func() bool { return len(s.packets) >= len(want)+2 }) // CONNECT, DISCONNECT
				var got []string
				for _, p := range s.packets {
					if p, ok := p.(*packets.PublishPacket); ok {
						topic := p.TopicName
						if p.Retain {
							topic = strings.ToUpper(topic)
						}
						got = append(got, topic+string(p.Payload))
					}
				}
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
}

func TestStatesAreBounded(t *testing.T) {
	var n states
	for i := range 2 * maxStates {
		n.note(fmt.Sprint(i), uint64(i+1))
	}
	if len(n.newest) != maxStates {
		t.Errorf("%d topics are remembered", len(n.newest))
	}
}
