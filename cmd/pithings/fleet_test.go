package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/fleet"
	"pithings/mqttlink/broker"
)

// A fleet connects, reports in words or JSON, and ends after its time.
func TestFleet(t *testing.T) {
	apart(t)
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	file := filepath.Join(t.TempDir(), "report.json")
	code, out, errs := command("fleet", "-n", "6", "-e", b.Endpoint(), "--types", "generic,bulb,switch", "--interval", "50ms", "--ramp", "200/s", "--seed", "7",
		"--duration", "2s", "--json", "--report", file)
	if code != exitOK || !strings.Contains(errs, "6 devices (generic, bulb, switch) connect to "+b.Endpoint()) {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	var r fleet.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if r.Connected != 6 || r.Acked == 0 || r.Seed != 7 || r.Lost != 0 || r.ConnectedSeconds <= 0 || r.Seconds < 1.9 || len(r.Types) != 3 {
		t.Errorf("%s", out)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != out {
		t.Errorf("%s: %v", text, err)
	}
	if code, out, errs = command("fleet", "-n", "2", "-e", b.Endpoint(), "--duration", "2s"); code != exitOK || !strings.Contains(out, "all 2 after ") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
}

// The connection may be that of an agent's configuration; flags go before it.
func TestFleetWithAConfiguration(t *testing.T) {
	apart(t)
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, away := file("good.yaml", "mqtt: {endpoint: "+b.Endpoint()+", client_id: hall}\n"), file("away.yaml", "mqtt: {endpoint: \"mqtt://127.0.0.1:1\"}\n")
	for name, args := range map[string][]string{"file": {"--config", good}, "flag before the file": {"--config", away, "-e", b.Endpoint()}} {
		if code, out, errs := command(append([]string{"fleet", "-n", "2", "--duration", "2s"}, args...)...); code != exitOK || !strings.Contains(out, "all 2 after ") {
			t.Errorf("%s: %d: %s%s", name, code, out, errs)
		}
	}
	for _, c := range []struct{ text, says string }{
		{"things: []\n", "names no broker"},
		{"mqtt: {endpoint: a.iot.eu-west-1.amazonaws.com}\n", "asks for a certificate"},
		{"mqtt: {endpont: x}\n", "did you mean"},
	} {
		if code, out, errs := command("fleet", "--config", file("bad.yaml", c.text)); code == exitOK || !strings.Contains(errs, c.says) {
			t.Errorf("%s: %d: %s%s", c.text, code, out, errs)
		}
	}
}

// Ctrl-C ends a fleet as its time does.
func TestFleetIsInterrupted(t *testing.T) {
	apart(t)
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	var out, errs bytes.Buffer
	if code := execute(ctx, []string{"fleet", "-n", "20", "-e", b.Endpoint()}, strings.NewReader(""), &out, &errs); code != exitOK || !strings.Contains(out.String(), "sessions ") {
		t.Errorf("%d: %s%s", code, &out, &errs)
	}
}

// What is wrong is said before anything is sent.
func TestFleetMistakes(t *testing.T) {
	apart(t)
	const dead = "mqtt://127.0.0.1:1"
	ids := func(text string) string {
		file := filepath.Join(t.TempDir(), "ids")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-n", "101", "-e", "mqtt://203.0.113.1"}, exitUsage, "--target-is-mine 203.0.113.1"},
		{[]string{"-n", "1", "-e", "mqtt://203.0.113.1", "--target-is-mine", "other"}, exitUsage, "not other"},
		{[]string{"-n", "1", "-e", "mqtt://203.0.113.1", "--types", "rogue"}, exitUsage, "--target-is-mine 203.0.113.1"},
		{[]string{"-e", dead, "--stolen-ids", filepath.Join(t.TempDir(), "none"), "--types", "rogue"}, exitFailure, "--stolen-ids"},
		{[]string{"-e", dead, "--stolen-ids", ids("\n\n"), "--types", "rogue"}, exitUsage, "no client id"},
		{[]string{"-e", dead, "--stolen-ids", ids("a\nb\n")}, exitUsage, "type rogue"},
		{[]string{"-e", dead, "--stolen-ids", ids(strings.Repeat("x", 70000)), "--types", "rogue"}, exitUsage, "70000 bytes"},
		{[]string{"-n", "1", "-e", dead, "--types", "rogue"}, exitFailure, "no behaviour could be tested"},
		{[]string{"-e", dead, "--client-id", "x"}, exitUsage, "--prefix"},
		{[]string{"-e", dead, "--types", "blub"}, exitUsage, `did you mean "bulb"`},
		{[]string{"-e", dead, "--types", "switch"}, exitUsage, "bulb or controlled"},
		{[]string{"-e", dead, "--flows", "local"}, exitUsage, "of the type pi"},
		{[]string{"-e", dead, "--types", "pi", "--flows", "there"}, exitUsage, "give local"},
		{[]string{"-e", dead, "--types", "pi", "--motion", "1ms"}, exitUsage, "a motion every 1ms"},
		{[]string{"-e", dead, "--types", "pi", "--pictures", "nowhere"}, exitUsage, "IP:PORT"},
		{[]string{"-e", dead, "--types", "pi", "-n", "1001", "--flows", "local"}, exitUsage, "at most 1000"},
		{[]string{"-e", dead, "--ramp", "fast"}, exitUsage, "such as 100/s"},
		{[]string{"-e", dead, "--ramp", "0"}, exitUsage, "such as 100/s"},
		{[]string{"-e", dead, "--qos", "2"}, exitUsage, "QoS 0 and 1"},
		{[]string{"-e", dead, "--duration", "-1s"}, exitUsage, "--duration"},
		{[]string{"-e", "ws://127.0.0.1"}, exitUsage, "mqtt:// and mqtts:// only"},
		{[]string{"-e", dead, "--identities", "x", "--prefix", "y"}, exitUsage, "--identities"},
		{[]string{"--identities", filepath.Join(t.TempDir(), "none")}, exitFailure, "no such file"},
		{[]string{"-e", "a1b2c3-ats.iot.eu-west-1.amazonaws.com", "--identities", filepath.Join(t.TempDir(), "none")}, exitFailure, "no such file"},
		{[]string{"--host", "a1b2c3-ats.iot.eu-west-1.amazonaws.com", "--port", "443", "--identities", filepath.Join(t.TempDir(), "none")}, exitFailure, "no such file"},
		{[]string{"-e", "mqtts://a1b2c3-ats.iot.eu-west-1.amazonaws.com"}, exitUsage, "asks for a certificate"},
		{[]string{"-e", dead, "--report", t.TempDir()}, exitFailure, "--report"},
		{[]string{"-e", dead, "--duration", "200ms"}, exitFailure, "never all connected: 0 of 10"},
		{[]string{"-e", dead, "--token-file", ids("a token of sixteen\n")}, exitUsage, "give an address there"},
		{[]string{"-e", dead, "--http", "127.0.0.1:0", "--token-file", ids("short\n")}, exitFailure, "less than 16 characters"},
		{[]string{"-e", dead, "--http", "0.0.0.0:0"}, exitFailure, "give a token"},
		{[]string{"-e", dead, "--factory", "--types", "bulb"}, exitUsage, "leave one of them out"},
		{[]string{"-e", dead, "more"}, exitUsage, "more"},
	} {
		code, out, errs := command(append([]string{"fleet"}, tc.args...)...)
		if code != tc.code || !strings.Contains(errs, tc.says) {
			t.Errorf("%q: %d, want %d and %q: %s%s", tc.args, code, tc.code, tc.says, out, errs)
		}
	}
}

// A fleet that does not begin leaves no report, and one that was there before as it is.
func TestFleetLeavesNoEmptyReport(t *testing.T) {
	apart(t)
	file := filepath.Join(t.TempDir(), "report.json")
	fails := func() {
		t.Helper()
		if code, out, errs := command("fleet", "-n", "101", "-e", "mqtt://203.0.113.1", "--report", file); code != exitUsage || !strings.Contains(errs, "--target-is-mine") {
			t.Fatalf("%d: %s%s", code, out, errs)
		}
	}
	fails()
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	if err := os.WriteFile(file, []byte("of an earlier run"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails()
	if text, err := os.ReadFile(file); err != nil || string(text) != "of an earlier run" {
		t.Errorf("%q, %v", text, err)
	}
}
