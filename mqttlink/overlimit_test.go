package mqttlink

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink/outbox"
)

// TestLimitsKnownLate: what was queued before the broker was known is checked when it is
// sent. It goes aside at once, with the limit as the reason, and what is behind it goes out
// (greengrass-nucleus#852, mqtt5#37).
func TestLimitsKnownLate(t *testing.T) {
	for _, liveFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("live first %v", liveFirst), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box := outbox.NewMemory(outbox.Limits{Messages: -1})
				for i := range 20 {
					r := outbox.Record{Topic: "t", Payload: []byte(fmt.Sprint(i)), QoS: byte(i % 2)}
					switch i {
					case 3, 4:
						r.Payload = make([]byte, 200)
					case 9:
						r.Topic = "a/b/c/d/e/f"
					}
					if _, err := box.Append(r); err != nil {
						t.Fatal(err)
					}
				}
				s := &script{}
				o := options("broker:1883")
				o.Outbox, o.LiveFirst = box, liveFirst
				o.Limits = Limits{By: "a broker", MaxPayload: 100, MaxTopicLevels: 3}
				began := time.Now()
				l, stop := s.on(t, o)
				flush(t, l)
				took := time.Since(began)
				stop()
				if len(s.payloads()) != 17 || s.sessions != 1 || took > time.Second {
					t.Errorf("%d messages arrived in %d sessions and %s, want 17 at once", len(s.payloads()), s.sessions, took)
				}
				var reasons []string
				for _, a := range l.DeadLetters() {
					reasons = append(reasons, a.Reason)
				}
				all := strings.Join(reasons, "\n")
				if len(reasons) != 3 || !strings.Contains(reasons[0], "200 bytes, but a broker allows 100") || !strings.Contains(reasons[2], "slashes, but a broker allows 2") {
					t.Errorf("set aside:\n%s", all)
				}
			})
		})
	}
}

// TestOwnLimitsOfTheBroker: a broker that hangs up may have a limit that it does not announce
// (emqx#7179: packets of 1 MiB; owntracks/recorder#524: 200 levels of a topic).
func TestOwnLimitsOfTheBroker(t *testing.T) {
	deep := strings.Repeat("x/", 200) + "x"
	for _, tc := range []struct {
		topic   string
		payload int
		limits  Limits
		want    string // "": neither size nor depth
	}{
		{"f", 2 << 20, Limits{}, "; or a packet of 2097153 bytes is more than this broker takes"},
		{deep, 3, Limits{}, "; or a topic of 201 levels is more than this broker takes"},
		{deep, 5000, Limits{}, "; or a packet of 5401 bytes and a topic of 201 levels is more than this broker takes"},
		{"f", 3, Limits{}, ""},
		{"f", 5000, Limits{MaxPayload: 10000}, ""},
	} {
		for _, qos := range []byte{0, 1} {
			synctest.Test(t, func(t *testing.T) {
				s := &script{onPacket: hangUpOn("f", deep)}
				o := options("broker:1883")
				o.Backoff, o.Limits = Backoff{}, tc.limits
				var log logBuffer
				o.Log = log.logger()
				l, stop := s.on(t, o)
				for range 20 {
					to(t, l, tc.topic, qos, strings.Repeat("p", tc.payload))
					time.Sleep(8 * time.Second)
				}
				stop()
				text := strings.Join(log.lines(), "\n")
				if !strings.Contains(text, "lacks permission") || len(l.DeadLetters()) == 0 {
					t.Fatalf("QoS %d: %d set aside, log:\n%.2000s", qos, len(l.DeadLetters()), text)
				}
				reason := l.DeadLetters()[0].Reason
				for what, s := range map[string]string{"log": text, "reason": reason} {
					if tc.want != "" && !strings.Contains(s, tc.want) || tc.want == "" && strings.Contains(s, "than this broker takes") {
						t.Errorf("QoS %d, %s:\n%.1500s\nwant %q", qos, what, s, tc.want)
					}
				}
			})
		}
	}
}
