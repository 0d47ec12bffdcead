package agent

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/mqttlink"
)

// The page of an agent that has not run yet, with an awkward version.
func TestMetrics(t *testing.T) {
	cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment, bus: 2}, {name: a, type: environment, mqtt: {client_id: a, queue: {max: 1}}}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: t.TempDir(), Version: "a\"\\\nb", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.links.shared.Publish(t.Context(), mqttlink.Message{Topic: "t", Payload: []byte("12345"), Alarm: true}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the last two are not taken
		_ = a.links.own["a"].Publish(t.Context(), mqttlink.Message{Topic: "t"})
	}
	w := httptest.NewRecorder()
	get(t, a, w, "/metrics")
	got, _ := io.ReadAll(w.Result().Body)
	page := regexp.MustCompile(`(age_seconds\{.*\}) .*`).ReplaceAllString(string(got), "$1 AGE")
	const golden = "testdata/metrics.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		t.Errorf("/metrics:\n%s", page)
	}
	// The format's rules: each sample behind its family, names and labels well formed.
	line := regexp.MustCompile(`^(# (HELP|TYPE) pithings_[a-z_]+ .+|pithings_[a-z_]+(\{[a-z]+="([^"\\]|\\[\\n"])*"(,[a-z]+="([^"\\]|\\[\\n"])*")*\})? [0-9.e+-]+)$`)
	for l := range strings.Lines(string(got)) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("not in the format: %s", l)
		}
	}
}
