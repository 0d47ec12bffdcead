package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Names of 500 KB in a file were repeated in full, sometimes several times.
func TestLongNamesAreCut(t *testing.T) {
	name := strings.Repeat("x", 500_000)
	const thing = "\nthings:\n  - {name: a, type: motion, pin: x"
	for _, c := range []struct{ file, text string }{
		{"c.yaml", name + ": 1"},
		{"c.yaml", "broker: {listen: '127.0.0.1:1'}\nthings:\n  - {name: " + name + ", type: " + name[:1000] + "}"},
		{"c.yaml", "mqtt: {endpoint: 'mqtt://" + name + "'}" + thing + "}"},
		{"c.yaml", "mqtt: {endpoint: 'mqtt://a'}" + thing + ", topics: {" + name[:200_000] + ": a, motion: '" + name[:200_000] + "#'}}"},
		{"c.yaml", "mqtt: {endpoint: 'mqtt://a'}" + thing + "}\nflows: [{file: " + name + "}]"},
		{"c.yaml", "mqtt: {endpoint: 'mqtts://a', ca: " + name + "}" + thing + "}"},
		{"f.graphql", "{ query " + name + " @x }"},
		{"f.graphql", "type " + name[:200_000] + " @deviceModel(id: \"urn:tdm:" + name[:200_000] + "\") {ignore: void}"},
		{"f.yaml", name + ": 1"},
		{"f.yaml", "deployment: " + name + "\nflows: {}"},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"config", "check", path}
		if c.file[0] == 'f' {
			args = []string{"flow", "validate", path}
		}
		var said bytes.Buffer
		code := execute(t.Context(), args, strings.NewReader(""), io.Discard, &said)
		if code == exitOK || said.Len() == 0 || said.Len() > 10_000 {
			t.Errorf("%.60s: exit status %d, %d bytes: %.200s", c.text, code, said.Len(), &said)
		}
	}
}
