package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/test/pki"
)

// All that is wrong with certificates is reported in one run, each at its key in the file;
// it was the first alone, without a place.
func TestAllCertificateProblemsAtOnceWithTheirPlaces(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("no.pem", "hello")
	file := write("c.yaml", `mqtt:
  endpoint: mqtts://hall
  ca: missing.pem
  cert: no.pem
  key: none.key
things:
  - {name: a, type: motion, pin: mock}
  - name: b
    type: motion
    pin: mock
    mqtt: {cert: b.pem, key: b.key}
broker:
  listen: 127.0.0.1:0
  tls: {cert: no.pem, key: none.key}
  users: [{name: ann, password_file: hashes}]
flows: [{file: none.yaml}]
`)
	c, _, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Check(c, time.Now())
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{
		":3:7: CA ", ":4:9: certificate ", ":5:8: private key ", ":11:18: certificate ", ":11:30: private key ",
		":14:15: certificate ", ":14:28: private key ", ":15:38: user \"ann\": password_file: ", ":16:16: flow ",
	}
	for i, w := range want {
		if i >= len(lines) || !strings.HasPrefix(lines[i], file+w) {
			t.Fatalf("line %d does not begin with %s%s:\n%s", i+1, file, w, err)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines:\n%s", len(lines), err)
	}
}

// What AWS IoT Core would refuse, a link refuses at its start, and the check before that.
func TestCheckKnowsWhatALinkRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"keepalive: 25m":              ":1:1: the keep-alive: 1500 seconds, but AWS IoT Core allows 1200",
		"window: 101":                 ":1:1: the window: 101 messages, but AWS IoT Core allows 100",
		"client_id: $x":               ":1:1: ",
		"client_id: \"a\", window: 1": "",
	} {
		c, _, err := config.Parse("c.yaml", []byte("mqtt: {endpoint: a1-ats.iot.eu-west-1.amazonaws.com, username: u, "+text+"}\nthings: [{name: x, type: camera}]\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Check(c, time.Now()); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), "c.yaml"+want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The certificate of the embedded broker is checked as that of a client is, before
// a client connects.
func TestCertificateOfTheEmbeddedBrokerIsChecked(t *testing.T) {
	ca := pki.New(t)
	check := func(name, clientCA string, now time.Time) (warnings []conf.Warning, text string) {
		t.Helper()
		c, _, err := config.Parse("c.yaml", []byte("broker: {listen: \"127.0.0.1:0\", tls: {cert: "+ca.File(name+".pem")+
			", key: "+ca.File(name+".key")+", client_ca: "+ca.File(clientCA)+"}}\nthings: [{name: m, type: motion, pin: mock}]\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if warnings, err = Check(c, now); err != nil {
			text = err.Error()
		}
		return warnings, text
	}
	ca.Server("127.0.0.1", time.Now().Add(time.Hour))
	if warnings, err := check("server", "ca.pem", time.Now()); err != "" || len(warnings) > 0 {
		t.Errorf("a good one: %q, %v", warnings, err)
	}
	ca.Client("nameless", time.Now().Add(time.Hour)) // as a tutorial's: a common name alone
	if warnings, err := check("nameless", "ca.pem", time.Now()); err != "" || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "subjectAltName=") {
		t.Errorf("without a name: %q, %v", warnings, err)
	}
	if _, err := check("server", "ca.pem", time.Now().Add(2*time.Hour)); !strings.HasPrefix(err, "c.yaml:1:45: ") || !strings.Contains(err, "expired on") {
		t.Errorf("an expired one: %v", err)
	}
	if _, err := check("server", "ca.pem", time.Time{}); err != "" {
		t.Errorf("before the clock is right: %v", err)
	}
	if _, err := check("server", "server.key", time.Now()); !strings.Contains(err, "holds a private key") {
		t.Errorf("a key as authority: %v", err)
	}
}
