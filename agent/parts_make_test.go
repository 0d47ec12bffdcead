package agent

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink/clock"
	"pithings/things"
)

// A part that cannot be made fails the start, whatever its type: it is no thing that is nil.
func TestThingThatCannotBeMadeFailsTheStart(t *testing.T) {
	for _, kind := range things.Kinds() {
		settings := kind.New()
		conf.Fill(settings)
		settings.Simulate()
		keys, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		thing := fmt.Sprintf(`{"name": "x", "type": %q, %s`, kind.Name, keys[1:])
		cfg, _, err := config.Parse("c.yaml", []byte("broker: {listen: \"127.0.0.1:0\"}\nhttp: {listen: \"127.0.0.1:0\"}\nthings: ["+thing+"]"), nil)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Things[0].Topics = map[string]string{"no such topic": "x"}
		board := mock.New(mock.Options{})
		a, err := New(Options{Config: cfg, Board: board, State: t.TempDir(), Clock: clock.Options{Trust: true}, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			t.Errorf("%s: no error", kind.Name)
			a.Close()
		}
		board.Close()
	}
}
