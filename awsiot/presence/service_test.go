package presence

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"pithings/api"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// What AWS says of the own connection: why a session has ended, once for each, and who else has
// the client id.
func TestService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := linktest.New()
		defer link.Close()
		var log bytes.Buffer
		certificate := "OWN"
		s := New(Options{Settings: Settings{Enabled: true}, Client: "pi", Principal: func() string { return certificate }, Link: link, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		send := func(kind string, version int, at int64, principal, more string) {
			t.Helper()
			payload := fmt.Sprintf(`{"clientId":"pi","timestamp":%d,"eventType":%q,"sessionIdentifier":"s%d","principalIdentifier":%q,"versionNumber":%d%s}`, at, kind, version, principal, version, more)
			if err := link.Inject(mqttlink.Message{Topic: "$aws/events/presence/" + kind + "/pi", Payload: []byte(payload)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		send("connected", 2, 1573002230000, "own", `,"ipAddress":"192.0.2.1"`)
		certificate = "RENEWED"
		send("connected", 2, 1573002230100, "renewed", "")
		if log.Len() > 0 {
			t.Errorf("ordinary connections are logged: %s", log.String())
		}
		const forbidden = `,"clientInitiatedDisconnect":false,"disconnectReason":"FORBIDDEN_ACCESS"`
		send("disconnected", 1, 1573002229000, "own", forbidden)
		send("disconnected", 1, 1573002229000, "own", forbidden) // QoS 1
		send("disconnected", 0, 1573002220000, "own", `,"disconnectReason":"NEW_WORD"`)
		send("disconnected", 3, 1573002240000, "thief", `,"disconnectReason":"DUPLICATE_CLIENTID"`)
		send("connected", 4, 1573002250000, "thief", `,"ipAddress":"198.51.100.7"`)
		if err := link.Inject(mqttlink.Message{Topic: "$aws/events/presence/connected/pi", Payload: []byte("?")}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for want, n := range map[string]int{
			"the policy does not allow a topic": 1, "(FORBIDDEN_ACCESS)": 1, "reason=NEW_WORD": 1, "at=2019-11-06T01:03:49Z": 1,
			"another certificate connects with this client id": 1, "principal=thief": 1, "event of presence is not read": 1,
		} {
			if got := strings.Count(log.String(), want); got != n {
				t.Errorf("%q is logged %d times, want %d", want, got, n)
			}
		}
		shown := map[string]any{}
		s.Health(func(_ string, v any) { shown = v.(map[string]any) })
		if shown["rivals"] != 2 || shown["ended"] != "2019-11-06T01:04:00Z" || !strings.Contains(fmt.Sprint(shown["reason"]), "DUPLICATE_CLIENTID") {
			t.Errorf("/healthz: %v", shown)
		}
		var m api.Metrics
		s.Collect(&m)
		for _, want := range []string{`pithings_sessions_ended_total{reason="DUPLICATE_CLIENTID"} 1`, `pithings_sessions_ended_total{reason="FORBIDDEN_ACCESS"} 1`,
			`pithings_sessions_ended_total{reason="OTHER"} 1`, "pithings_client_id_rivals_total 2"} {
			if !strings.Contains(m.String(), want+"\n") {
				t.Errorf("metrics have no %s:\n%s", want, m.String())
			}
		}
		if all := link.Transcript(); len(all) != 0 {
			t.Errorf("published: %q", all)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
}

// Switched off, it subscribes to nothing: a policy without that right ends the connection.
func TestOff(t *testing.T) {
	if err := New(Options{Client: "pi"}).Run(t.Context()); err != nil {
		t.Error(err)
	}
}
