package awsiot

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink"
)

// AWS closes the connection upon a topic that the policy does not allow. The
// message becomes a dead letter, with the statement that the policy lacks; the rest flows.
func TestForbiddenTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{forbidden: []string{"secret/#"}}
		var log logBuffer
		o := c.options(t)
		o.Log = log.logger()
		var dead []mqttlink.DeadLetter
		o.KeepDeadLetter = func(a mqttlink.DeadLetter) error { dead = append(dead, a); return nil }
		l, stop := c.start(t, o)
		var want []string
		for i := range 200 {
			p := fmt.Sprint(i)
			publish(t, l, "TG_MS/motion", 1, p)
			want = append(want, p)
			if i%50 == 25 {
				publish(t, l, "secret/door", 1, "open"+p)
			}
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		var got []string
		for _, p := range c.payloads("TG_MS/motion") {
			if !slices.Contains(got, p) {
				got = append(got, p)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("arrived %v", got)
		}
		if len(dead) != 4 || string(dead[0].Message.Payload) != "open25" || dead[0].Sessions != 3 {
			t.Fatalf("dead letters %+v", dead)
		}
		for _, a := range dead {
			if want := "iot:Publish on arn:aws:iot:eu-west-1:<account>:topic/secret/door"; !strings.Contains(a.Reason, want) {
				t.Errorf("%q does not name %q", a.Reason, want)
			}
		}
		if lines := log.lines("kept as a dead letter"); len(lines) != 1 || !strings.Contains(lines[0], "topic=secret/door") {
			t.Errorf("log:\n%s", strings.Join(lines, "\n"))
		}
	})
}

// Two devices with one client id: the last one to connect has it.
func TestTwoDevicesWithOneID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		var log logBuffer
		o := c.options(t)
		o.Log = log.logger()
		l, stop := c.start(t, o)
		// The other one is simple: it comes back after a second and a half, for ever.
		quit := make(chan struct{})
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for {
				conn, _ := c.dial(t.Context(), "", "")
				p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
				p.ProtocolName, p.ProtocolVersion, p.CleanSession, p.ClientIdentifier = "MQTT", 4, true, "porch"
				p.Write(conn)
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for {
						if _, err := packets.ReadPacket(conn); err != nil {
							return
						}
					}
				}()
				select {
				case <-ended:
				case <-quit:
				}
				conn.Close()
				<-ended
				select {
				case <-time.After(1500 * time.Millisecond):
				case <-quit:
					return
				}
			}
		}()
		var want []string
		for i := range 600 {
			want = append(want, fmt.Sprint(i))
			publish(t, l, "t", 1, want[i])
			time.Sleep(3 * time.Second)
		}
		st := l.Stats()
		if lines := log.lines("another client uses"); !st.TakenOver || len(lines) != 1 || !strings.Contains(lines[0], `client id \"porch\"`) {
			t.Errorf("%+v\n%s", st, strings.Join(lines, "\n"))
		}
		if st.Connects > 40 || st.DeadLetters > 0 || st.Queued > 120 {
			t.Errorf("in half an hour: %+v", st)
		}
		close(quit)
		<-gone
		time.Sleep(15 * time.Minute)
		if st := l.Stats(); st.TakenOver || st.State != mqttlink.Online || st.Queued > 0 {
			t.Errorf("after the other one has gone: %+v", st)
		}
		stop()
		var got []string
		for _, p := range c.payloads("t") {
			if len(got) == 0 || got[len(got)-1] != p {
				got = append(got, p)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("arrived %d: %v", len(got), got)
		}
	})
}
