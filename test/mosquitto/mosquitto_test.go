//go:build system

package mosquitto

import (
	"slices"
	"strconv"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A client that waits for the broker may be there before the recorder: what it publishes is
// recorded, also with QoS 0.
func TestTheFirstMessageIsRecorded(t *testing.T) {
	for range 10 {
		b := New(t)
		o := mqtt.NewClientOptions().AddBroker("tcp://127.0.0.1:" + strconv.Itoa(b.Port)).SetConnectRetry(true).SetConnectRetryInterval(time.Millisecond)
		c := mqtt.NewClient(o)
		connected := c.Connect()
		published := make(chan struct{})
		go func() {
			connected.Wait()
			c.Publish("first", 0, false, "0").Wait()
			c.Publish("first", 1, false, "1").Wait()
			close(published)
		}()
		b.Up()
		<-published
		b.Wait("the first messages", func(messages []Message) bool {
			return slices.Equal(messages, []Message{{"first", "0"}, {"first", "1"}})
		})
		c.Disconnect(0)
		b.Down()
	}
}
