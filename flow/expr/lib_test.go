package expr

import (
	"strings"
	"testing"
	"time"
)

// TestLib: tdm.lib.getDate() and getTime() as Things Graph's guide uses them, and nothing
// while the time is not known.
func TestLib(t *testing.T) {
	at := time.Date(2026, 11, 30, 7, 0, 5, 0, time.UTC)
	known := Variables{"now": map[string]any{"unix": at.Unix()}}
	for source, want := range map[string]any{
		"tdm.lib.getDate()":        "20261130T070005Z",
		"tdm.lib.getTime()":        at.UnixMilli(),
		"tdm.lib.getTime() / 1000": at.Unix(),
	} {
		e, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Eval(known); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
		if len(e.Variables()) > 0 {
			t.Errorf("%s uses the variables %v", source, e.Variables())
		}
		for _, unknown := range []Variables{{}, {"now": nil}} {
			if got, err := e.Eval(unknown); err == nil || !strings.Contains(err.Error(), "the time is not known") {
				t.Errorf("%s without a time: %v, %v", source, got, err)
			}
		}
	}
	e, err := Parse("tdm.lib.getYear()")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Eval(known); err == nil || !strings.Contains(err.Error(), "known are getDate() and getTime()") {
		t.Errorf("%v", err)
	}
}
