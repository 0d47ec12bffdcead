package engine

import (
	"context"
	"log/slog"
	"testing"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/flowyaml"
)

// FuzzKept: whatever a disk makes of what is kept, an engine begins with it or without
// it, and ends.
func FuzzKept(f *testing.F) {
	f.Add([]byte(`{"vars":{"n":1}}`), []byte(`{"execution":{"id":"x","flow":"Outer"},"steps":["Before","Call","After","Broken"],"rests":{"Call":{"attempt":1,"tried":[0],"child":{}}}}`))
	f.Add([]byte(`{"holds":{"T":{"since":{"boot":"AAAA","mono":-1}}}}`), []byte(`{"execution":{"flow":"Inner"},"steps":["Work","Rest","Stop"],"begun":["Nope"],"rests":{"Rest":{"attempt":1}}}`))
	f.Add([]byte(`[`), []byte(`{"execution":{"flow":"Inner"},"steps":["Work","Rest","Stop"],"vars":{"answer":1e400},"rests":{"Rest":{"attempt":-1}}}`))
	file, err := flowyaml.Parse("x.yaml", []byte(chain), flow.Known{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, state, execution []byte) {
		s := newShelf()
		s.all["X"] = map[string][]byte{stateName: state, waitPrefix + "1": execution}
		thing := &fake{answer: func(context.Context, string, map[string]any) (map[string]any, error) { return nil, nil }}
		e := New(Options{Keeper: s, Log: slog.New(slog.DiscardHandler), Device: func(*flow.Deployment, flow.Binding) (device.Actor, error) { return thing, nil }})
		if err := e.Deploy(file.Deployment); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
