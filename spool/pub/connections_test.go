package pub

import (
	"context"
	"testing"
	"time"

	"pithings/mqttlink"
)

// A connection that waits for its next attempt shows when that is, and what waits for it.
func TestConnectionThatWaits(t *testing.T) {
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID = "mqtt://127.0.0.1:1", "pi"
	o.Backoff = mqttlink.Backoff{Min: 1000 * time.Hour, Max: 1000 * time.Hour}
	link, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if c := ConnectionOf("", link); c.NextAttempt != 0 || c.OldestAge != 0 || c.Oldest != nil || c.State != "offline" || c.Since.IsZero() {
		t.Errorf("before it runs: %+v", c)
	}
	made := time.Now().Add(-time.Hour)
	if err := link.Publish(t.Context(), mqttlink.Message{Topic: "t", QoS: 1, Alarm: true, Time: made}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	c := ConnectionOf("x", link)
	for patient := time.Now().Add(time.Minute); c.NextAttempt == 0 && time.Now().Before(patient); c = ConnectionOf("x", link) {
		time.Sleep(time.Millisecond) // the link reports its states, and not that it waits
	}
	if c.NextAttempt <= 0 || c.NextAttempt > 3600e3 || c.Error == "" || c.State != "offline" {
		t.Errorf("while it waits: %+v", c)
	}
	if c.Messages != 1 || c.Alarms != 1 || c.Oldest == nil || c.Oldest.UnixMilli() != made.UnixMilli() || c.OldestAge < 3599 {
		t.Errorf("what waits: %+v", c)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if c := ConnectionOf("", link); c.NextAttempt != 0 || c.State != "ended" {
		t.Errorf("after its end: %+v", c)
	}
}
