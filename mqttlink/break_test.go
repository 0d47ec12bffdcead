package mqttlink

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"
)

// A session that is broken on request ends as by a failure of the network: the will is published, what was
// not acknowledged is sent again, and no message is blamed for it, however often that happens.
func TestBreak(t *testing.T) {
	b := startBroker(t)
	watcher := options(b.Addr())
	watcher.ClientID = "watcher"
	w := run(t, watcher)
	wills, values := listen(t, w, "status"), listen(t, w, "value")
	if err := w.Publish(t.Context(), Message{Topic: "status", Payload: []byte("ready"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Publish(t.Context(), Message{Topic: "value", Payload: []byte("ready"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	wills.wait(t, 1)
	values.wait(t, 1)
	o := options(b.Addr())
	o.ConnectTimeout = time.Minute // for the dial below
	o.Will = &Message{Topic: "status", Payload: []byte("offline"), QoS: 1}
	dial := make(chan bool, 1) // a broker publishes no will if the client is back before it has gone
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case <-dial:
			return (&net.Dialer{}).DialContext(ctx, network, address)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	idle, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if idle.Break() {
		t.Error("a session is broken where there is none")
	}
	l := run(t, o)
	const times = 5
	for i := range times {
		dial <- true
		limit := time.Now().Add(20 * time.Second)
		if err := l.Publish(t.Context(), Message{Topic: "value", Payload: fmt.Append(nil, i), QoS: 1}); err != nil {
			t.Fatal(err)
		}
		for !l.Break() {
			if time.Now().After(limit) {
				t.Fatalf("no session: %+v", l.Stats())
			}
			time.Sleep(time.Millisecond)
		}
		if m := wills.wait(t, 2+i)[1+i]; string(m.Payload) != "offline" {
			t.Errorf("%d: %q", i, m.Payload)
		}
	}
	dial <- true
	if err := l.Publish(t.Context(), Message{Topic: "value", Payload: []byte("last"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	flush(t, l)
	seen := map[string]bool{}
	for n := 1; !seen["last"]; n++ { // some may come twice
		seen[string(values.wait(t, n)[n-1].Payload)] = true
	}
	if len(seen) != 1+times+1 {
		t.Errorf("only %v arrive", seen)
	}
	if s := l.Stats(); s.DeadLetters != 0 || len(s.Excluded) != 0 || s.TakenOver || !l.suspects.calm("value") {
		t.Errorf("a message is blamed: %+v", s)
	}
}
