package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is missing or wrong is said before anything is connected.
func TestCloudMistakes(t *testing.T) {
	ownHome(t)
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("fleet.yaml", "name: fleet\nparameters: [Serial]\nthing_name: pi-{Serial}\n")
	typo := write("typo.yaml", "name: fleet\nparameters: [Serial]\nthing: pi-{Serial}\n")
	text := write("text.json", "hello")
	const broker = " -e mqtt://127.0.0.1:1"
	for _, row := range []struct {
		line string
		code int
		says string
	}{
		{"cloud" + broker, 2, "--state is missing"},
		{"cloud --state x", 2, "-e is missing"},
		{"cloud --state x --issuer-cert a" + broker, 2, "--issuer-cert and --issuer-key belong together"},
		{"cloud --state x --create-keys" + broker, 2, "give --template FILE, too"},
		{"cloud --state x --template nowhere.yaml" + broker, 1, "nowhere.yaml"},
		{"cloud --state x --template " + typo + broker, 2, "thing"},
		{"cloud --state x --template " + good + " --issuer-cert " + good + " --issuer-key " + good + broker, 1, "not in PEM"},
		{"cloud --state x -e abc-ats.iot.eu-west-1.amazonaws.com -c a -k b", 2, "has these services itself"},
		{"cloud job", 2, "say create, list or cancel"},
		{"cloud job list", 2, "--state is missing"},
		{"cloud job list --state nowhere", 1, "no pithings cloud runs with the state folder nowhere"},
		{"cloud job create pi " + text + " --state nowhere", 1, "is not JSON"},
		{"cloud job create pi nowhere.json --state nowhere", 1, "an object of JSON in quotes"},
		{"cloud job create pi {} --timeout 90s --state nowhere", 2, "whole minutes"},
		{"cloud shadow", 2, "say get or set"},
		{"cloud shadow get +" + broker, 2, "+"},
		{"cloud shadow set pi [] " + broker, 1, "[]"},
		{"cloud shadow set pi " + text + broker, 1, "not an object of JSON"},
		{"cloud shadow get pi", 2, "-e is missing"},
	} {
		_, said, code := cli(t, "", strings.Fields(row.line)...)
		if code != row.code || !strings.Contains(said, row.says) || strings.Count(said, "\n") > 2 {
			t.Errorf("%s: exit status %d, %s", row.line, code, said)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a state folder is made for a command line that is wrong")
	}
}
