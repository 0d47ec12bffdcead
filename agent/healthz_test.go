package agent

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/mqttlink"
)

func TestHealthz(t *testing.T) {
	for name, text := range map[string]string{
		"healthz":      "mqtt: {endpoint: mqtt://127.0.0.1}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment, bus: 2}, {name: \"a:b\", type: motion, pin: GPIO17}, {name: c, type: environment, bus: 3, mqtt: {client_id: c, queue: {max: 1}}}]\nflows: [{builtin: SecurityFlow, name: \"a<b\", things: {motionSensor: \"a:b\", camera: x, screen: y}}]\n",
		"healthz_bare": "mqtt: {endpoint: mqtt://127.0.0.1}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment, bus: 2}]\n",
	} {
		cfg, _, err := config.Parse("test", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if err := a.links.shared.Publish(t.Context(), mqttlink.Message{Topic: "t", Payload: []byte("12345"), Alarm: true}); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		get(t, a, w, "/healthz")
		got, _ := io.ReadAll(w.Result().Body)
		page := regexp.MustCompile(`("(since|oldest)": )"[^"]*"`).ReplaceAllString(string(got), "$1\"TIME\"")
		golden := "testdata/" + name + ".json"
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
			t.Errorf("/healthz:\n%s", page)
		}
	}
}
