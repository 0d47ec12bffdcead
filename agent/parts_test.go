package agent

import (
	"log/slog"
	"strings"
	"testing"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/things"
)

// A thing that cannot be made ends the start, whatever its type: an error that was lost
// would leave a thing that is none.
func TestThingsThatCannotBeMade(t *testing.T) {
	for _, k := range things.Kinds() {
		thing := "type: " + k.Name
		s := k.New()
		s.Simulate()
		for _, f := range conf.Fields(s) {
			if f.Required() {
				thing += ", " + f.Key + ": " + f.YAML()
			}
		}
		cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1:1}\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: a, "+thing+"}]\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Things[0].Topics = map[string]string{"nonsense": "x"}
		a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), `no topic "nonsense"`) {
			t.Errorf("%s: %v", thing, err)
		}
	}
}
