package main

import (
	"bytes"
	"encoding/json"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// capture without a file makes one, says its name, and overwrites none.
func TestCaptureWithoutFile(t *testing.T) {
	ownHome(t)
	out, said, code := cli(t, "", "capture", "--mock", "--size", "320x240", "--json")
	var made struct{ File string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
	}
	if ok, _ := filepath.Match("picture-*-*.jpg", made.File); !ok {
		t.Errorf("the file is called %q", made.File)
	}
	b, err := os.ReadFile(made.File)
	if err != nil {
		t.Fatal(err)
	}
	p, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || p.Width != 320 {
		t.Errorf("%v, %v", p, err)
	}
}

// flow executions of a name that is a typing error is no empty list.
func TestExecutionsOfTypo(t *testing.T) {
	ownHome(t)
	write(t, "hall.yaml", "name: Hall\nthings: {camera: TG_Camera}\nsteps:\n  - {name: Picture, thing: camera, action: capture}\n")
	if out, said, code := cli(t, "", "flow", "deploy", "hall.yaml"); code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, said)
	}
	for args, want := range map[string]string{
		"Hal":       `there is no deployment "Hal"; did you mean Hall?`,
		"Door/Open": `there is no deployment "Door/Open"`,
	} {
		if _, said, code := cli(t, "", "flow", "executions", args); code != 1 || !strings.Contains(said, want) {
			t.Errorf("%s: exit code %d: %s", args, code, said)
		}
	}
	if out, said, code := cli(t, "", "flow", "executions", "Hall"); code != 0 || !strings.Contains(out, "no executions") {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
}

// The list of queues for programs.
func TestQueueListAsJSON(t *testing.T) {
	ownHome(t)
	if out, said, code := cli(t, "", "pub", "a", "b", "--client-id", "me"); code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, said)
	}
	out, said, code := cli(t, "", "queue", "ls", "--json")
	var q struct {
		ClientID string `json:"client_id"`
		Messages int    `json:"messages"`
		Oldest   string `json:"oldest"`
	}
	if err := json.Unmarshal([]byte(out), &q); err != nil || code != 0 || q.ClientID != "me" || q.Messages != 1 || q.Oldest == "" {
		t.Errorf("exit code %d, %v: %s%s", code, err, out, said)
	}
}

// A table without rows says that nothing is queued, so there is none where that is not known.
func TestQueueListThatCannotBeReadIsNoEmptyTable(t *testing.T) {
	ownHome(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, said, code := cli(t, "", "queue", "ls", "--state", file); out != "" || code != 1 || said == "" {
		t.Errorf("exit code %d: %q, %s", code, out, said)
	}
	if out, said, code := cli(t, "", "queue", "ls", "--state", t.TempDir()); !strings.HasPrefix(out, "CLIENT ID") || code != 0 {
		t.Errorf("exit code %d: %q, %s", code, out, said)
	}
}

// run FILE, as hands write it, reads that file.
func TestRunFile(t *testing.T) {
	ownHome(t)
	write(t, "house.yaml", "mqtt: {endpoint: nowhere://x}\n")
	for _, args := range []string{"run house.yaml", "run --config house.yaml"} {
		if _, said, code := cli(t, "", strings.Fields(args)...); code != exitConfig || !strings.Contains(said, "house.yaml:1:") {
			t.Errorf("%s: exit code %d: %s", args, code, said)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
