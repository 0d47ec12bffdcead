package linktest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
	"pithings/mqttlink/topic"
)

func TestClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := linktest.New()
		defer c.Close()
		ctx := t.Context()
		send := func(topic, payload string, retain bool) {
			t.Helper()
			if err := c.Publish(ctx, mqttlink.Message{Topic: topic, Payload: []byte(payload), Retain: retain}); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		collect := func(_ context.Context, m mqttlink.Message) {
			s := m.Topic + "=" + string(m.Payload)
			if m.Retain {
				s += " retained"
			}
			got = append(got, s)
		}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("received %v, want %v", got, want)
			}
			got = nil
		}
		send("a/b", "before", false)
		send("a/kept", "1", true)
		cancel, err := c.Subscribe("a/+", 1, collect)
		if err != nil {
			t.Fatal(err)
		}
		expect("a/kept=1 retained")
		send("a/b", "x", false)
		send("a/kept", "2", true)
		send("b/b", "y", false)
		if err := c.Inject(mqttlink.Message{Topic: "a/c", Payload: []byte("from elsewhere")}); err != nil {
			t.Fatal(err)
		}
		expect("a/b=x", "a/kept=2", "a/c=from elsewhere")
		send("a/kept", "", true)
		expect("a/kept=")
		if !c.Subscribed("a/+") || c.Subscribed("a/b") {
			t.Error("Subscribed is wrong")
		}
		cancel()
		send("a/b", "after", false)
		expect()
		if m, err := c.WaitFor(ctx, "a/b", 3); err != nil || string(m.Payload) != "after" {
			t.Errorf("third on a/b: %s, %v", m.Payload, err)
		}
		if tr := c.Transcript(); len(tr) != 7 || tr[0] != "a/b before" {
			t.Errorf("transcript %q", tr)
		}
		go func() {
			time.Sleep(time.Second)
			_ = c.Publish(ctx, mqttlink.Message{Topic: "late"})
		}()
		if _, err := c.WaitFor(ctx, "late", 1); err != nil {
			t.Error(err)
		}
		short, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		if _, err := c.WaitFor(short, "never", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting in vain: %v", err)
		}
		c.FailPublish(mqttlink.ErrFull)
		if err := c.Publish(ctx, mqttlink.Message{Topic: "t"}); !errors.Is(err, mqttlink.ErrFull) {
			t.Errorf("failing publish: %v", err)
		}
		if err := c.Publish(ctx, mqttlink.Message{Topic: "a/#"}); !errors.Is(err, topic.ErrInvalid) {
			t.Errorf("wildcard: %v", err)
		}
	})
}
