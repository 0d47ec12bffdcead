package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/fleet"
	"pithings/fleet/scenario"
	"pithings/mqttlink/broker"
)

// Scenarios are listed, shown and checked.
func TestFleetScenarios(t *testing.T) {
	apart(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	code, list, errs := command("fleet", "scenario", "list")
	if code != exitOK || strings.Count(list, "\n") != len(scenario.Ready()) {
		t.Errorf("%d: %s%s", code, list, errs)
	}
	for _, name := range scenario.Ready() {
		code, text, errs := command("fleet", "scenario", "show", name)
		if code != exitOK || !strings.Contains(list, name+" ") {
			t.Errorf("%d: %s", code, errs)
		}
		if code, out, errs := command("fleet", "scenario", "check", name, file(name+".yaml", text)); code != exitOK || strings.Count(out, ": right: ") != 2 {
			t.Errorf("%d: %s%s", code, out, errs)
		}
	}
	if code, out, errs := command("fleet", "scenario", "schema"); code != exitOK || !json.Valid([]byte(out)) {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	wrong := file("wrong.yaml", "name: x\nphases: [{name: a, fro: 1m}]\nfaults: [{do: brake}]\n")
	right := file("right.yaml", "name: x\nphases: [{name: a, for: 1m}]\n")
	for _, tc := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"scenario"}, exitUsage, []string{"say list, show, check or schema"}},
		{[]string{"scenario", "show", "storm"}, exitUsage, []string{`no scenario is called "storm"`, "morning-reconnect-storm"}},
		{[]string{"scenario", "show", "one-bad-firmwear"}, exitUsage, []string{`did you mean "one-bad-firmware"`}},
		{[]string{"scenario", "check", wrong, right}, exitFailure, []string{wrong + `:2:20: phases: unknown key "fro"; did you mean "for"?`, wrong + ":3:15: do: there is no fault"}},
		{[]string{"scenario", "check", filepath.Join(dir, "none.yaml")}, exitFailure, []string{"no such file"}},
		{[]string{"-e", "mqtt://127.0.0.1:1", "--scenario", wrong}, exitFailure, []string{"--scenario", "unknown key"}},
		{[]string{"-e", "mqtt://127.0.0.1:1", "--scenario", "nightmare"}, exitUsage, []string{`no scenario is called "nightmare"`}},
		{[]string{"-e", "mqtt://127.0.0.1:1", "--scenario", "certificate-expiry"}, exitFailure, []string{"give --identities"}},
		{[]string{"-e", "mqtt://203.0.113.1", "--scenario", "one-bad-firmware"}, exitUsage, []string{"--target-is-mine 203.0.113.1"}},
		{[]string{"-e", "mqtt://127.0.0.1:1", "--scenario", right, "-n", "0"}, exitUsage, []string{"0 devices"}},
	} {
		code, out, errs := command(append([]string{"fleet"}, tc.args...)...)
		for _, says := range tc.says {
			if code != tc.code || !strings.Contains(errs, says) {
				t.Errorf("%q: %d, want %d and %q: %s%s", tc.args, code, tc.code, says, out, errs)
			}
		}
	}
}

// A scenario runs to its end; the command line goes before what it says.
func TestFleetFollows(t *testing.T) {
	apart(t)
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	file := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(file, []byte("name: short\ndevices: 50\ntypes: {telemetry: 3, bulb: 1}\ninterval: 1h\nphases: [{name: one, for: 1s}, {name: two, for: 1s}]\nfaults: [{at: two, do: reconnect}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command("fleet", "--scenario", file, "-n", "8", "--interval", "100ms", "-e", b.Endpoint(), "--json", "--seed", "3")
	if code != exitOK || !strings.Contains(errs, "scenario short: 8 devices (telemetry 3, bulb 1) at "+b.Endpoint()) || !strings.Contains(errs, "telemetry every 100ms") {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	var r fleet.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Scenario == nil {
		t.Fatalf("%s: %v", out, err)
	}
	if s := r.Scenario; len(s.Phases) != 2 || s.Phases[0].Published < 8 || s.Phases[0].Connected != 8 || s.Phases[1].Lost != 0 || s.Hit.Devices != 8 || r.Devices != 8 || r.Lost != 0 {
		t.Errorf("%s", out)
	}
}
