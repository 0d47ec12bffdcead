package refuse

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"pithings/api"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// tunnel is the example of AWS's documentation.
const tunnel = `{"clientAccessToken": "destination-client-access-token", "clientMode": "destination", "region": "us-west-2", "services": ["SSH"]}`

func TestTopic(t *testing.T) {
	for name, want := range map[string]string{
		TunnelTopic("pi"):                     Tunnels,
		"$aws/things/pi/streams/1/data/json":  Streams,
		"$aws/things/pi/streams/1/describe/x": Streams,
		"$aws/things/pi/shadow/update":        "",
		"$aws/things/tunnels/shadow/get":      "",
		"$aws/things//tunnels/notify":         "",
		"$aws/things/pi/tunnels":              "",
		"things/pi/tunnels/notify":            "",
	} {
		if got := Topic(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestJob(t *testing.T) {
	for document, want := range map[string]string{
		`{"afr_ota":{"protocols":["MQTT"],"streamname":"AFR_OTA-1","files":[]}}`: Streams,
		`{"streamId":"1"}`:           Streams,
		tunnel:                       Tunnels,
		`{"action":"update-config"}`: "",
		`{"action":{"afr_ota":1}}`:   "",
		`[`:                          "",
		`{"afr_ota":"` + strings.Repeat("x", maxDocument) + `"}`: "",
	} {
		if got := Job([]byte(document)); got != want {
			t.Errorf("%.60s: %q", document, got)
		}
	}
}

// A tunnel is refused with the sentence, and its token is not in the log.
func TestTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := linktest.New()
		defer link.Close()
		var log bytes.Buffer
		s := New(Options{Settings: Settings{Enabled: true}, Thing: "pi", Link: link, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		for _, payload := range []string{tunnel, "?", strings.Repeat("x", maxNotice+1)} {
			if err := link.Inject(mqttlink.Message{Topic: TunnelTopic("pi"), Payload: []byte(payload)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), Tunnels) || !strings.Contains(log.String(), "region=us-west-2") || strings.Contains(log.String(), "access-token") {
			t.Errorf("log: %s", log.String())
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines", n)
		}
		if all := link.Transcript(); len(all) != 0 {
			t.Errorf("published: %q", all)
		}
		var m api.Metrics
		s.Collect(&m)
		if !strings.Contains(m.String(), "pithings_tunnels_refused_total 3\n") {
			t.Errorf("metrics:\n%s", m.String())
		}
	})
}

// Switched off, it subscribes to nothing: a policy without that right ends the connection.
func TestOff(t *testing.T) {
	if err := New(Options{Thing: "pi"}).Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// FuzzNotice: no notice makes it fail, or log more than a line can bear.
func FuzzNotice(f *testing.F) {
	f.Add([]byte(tunnel))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if n, ok := parseNotice(payload); ok && len(n.Services) > maxServices {
			t.Errorf("%+v", n)
		}
		Job(payload)
		var log bytes.Buffer
		New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))}).refuse(mqttlink.Message{Payload: payload})
		if log.Len() > 3000 || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%d bytes: %s", log.Len(), log.String())
		}
	})
}
