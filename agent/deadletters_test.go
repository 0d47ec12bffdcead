package agent

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/spool/pub"
)

// Who may look sees that there are dead letters and why, who may act reads them and has them
// delivered once more.
func TestDeadLettersOverTheWeb(t *testing.T) {
	s := serveThings(t, "things: [{name: air, type: environment, interval: 1h}]\n")
	var all []pub.Connection
	s.answer(t, "look", "GET", "/api/v1/connections", "", &all)
	if len(all) != 1 || all[0].Since.IsZero() {
		t.Fatalf("%+v", all)
	}
	path := "/api/v1/queues/" + all[0].ClientID + "/dead-letters"
	for i := range 2 {
		if err := s.links.queues.letters("").Keep(mqttlink.DeadLetter{Message: mqttlink.Message{Topic: fmt.Sprint("late/", i), Payload: []byte("secret"), QoS: 1}, Reason: "too large", Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	var list struct {
		DeadLetters []map[string]any `json:"dead_letters"`
	}
	if status, text := s.answer(t, "look", "GET", path, "", &list); status != http.StatusOK || len(list.DeadLetters) != 2 || list.DeadLetters[0]["payload"] != nil || list.DeadLetters[0]["reason"] != "too large" {
		t.Fatalf("%d %s", status, text)
	}
	ids := fmt.Sprintf(`{"ids": [%q]}`, list.DeadLetters[0]["id"])
	heard := make(chan string, 10)
	o := mqttlink.DefaultOptions()
	o.Endpoint = s.Endpoint()
	listener, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listener.Subscribe("late/#", 1, func(_ context.Context, m mqttlink.Message) { heard <- m.Topic + " " + string(m.Payload) }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- listener.Run(ctx) }()
	defer func() {
		stop()
		<-ended
	}()
	for ready := false; !ready; { // a session is established before its subscriptions are
		if err := listener.Publish(t.Context(), mqttlink.Message{Topic: "late/ready"}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			ready = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, tc := range []struct {
		role, what string
		status     int
	}{
		{"look", "show", 403}, {"look", "retry", 403}, {"look", "delete", 403}, {"", "show", 401}, {"", "retry", 401}, {"", "delete", 401},
		{"act", "show", 200}, {"act", "retry", 200}, {"act", "retry", 404}, {"act", "show", 404},
	} {
		if status, text := s.answer(t, tc.role, "POST", path+"/"+tc.what, ids, nil); status != tc.status {
			t.Errorf("%s as %q: %d %s, want %d", tc.what, tc.role, status, text, tc.status)
		}
	}
	for timeout := time.After(patience); ; {
		select {
		case got := <-heard:
			if got == "late/ready " {
				continue
			}
			if got != "late/1 secret" {
				t.Errorf("%q was delivered", got)
			}
			return
		case <-timeout:
			t.Fatal("nothing was delivered")
		}
	}
}
