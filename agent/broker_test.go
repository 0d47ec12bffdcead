package agent

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/mqttlink/clock"
	"pithings/test/pki"
)

// secretHash is that of "secret", by mosquitto_passwd 2.
const secretHash = "$7$101$lAjhlQno9f2iiIGb$DS5G3MqEhKeAEAz/wM7SpSGiJKptQCO6W+g7hosTyZaHVVts131CTQF6HLkyt9LlkPtLMuotLbOhOwRufSYOxw=="

// The agent needs neither name nor certificate at its own broker, whatever others need
// there, and shows what the broker keeps.
func TestOwnConnectionNeedsNoLogin(t *testing.T) {
	certs := pki.New(t)
	certs.Server("127.0.0.1", time.Now().Add(time.Hour))
	cfg, _, err := config.Parse("test", []byte(`broker:
  listen: 127.0.0.1:0
  users: [{name: ann, password_hash: `+secretHash+`}]
  tls: {cert: `+certs.File("server.pem")+`, key: `+certs.File("server.key")+`, client_ca: `+certs.File("ca.pem")+`}
http: {listen: "127.0.0.1:0"}
things: [{name: b, type: environment}]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	board := mock.New(mock.Options{})
	defer board.Close()
	a, err := New(Options{Config: cfg, Board: board, State: t.TempDir(), Clock: clock.Options{Trust: true}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	limit, enough := context.WithTimeout(ctx, patience)
	defer enough()
	if !a.links.online(limit, a.links.allNames()) {
		t.Fatal("not connected")
	}
	if e := a.Endpoint(); !strings.HasPrefix(e, "mqtts://127.0.0.1:") {
		t.Errorf("endpoint for others: %s", e)
	}
	w := httptest.NewRecorder()
	get(t, a, w, "/metrics")
	for _, want := range []string{"pithings_broker_memory_limit_bytes 1.6777216e+07\n", "pithings_broker_connections 1\n", "pithings_broker_evicted_clients_total 0\n"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestFilesOfHashes(t *testing.T) {
	dir := t.TempDir()
	for name, row := range map[string]struct {
		text, want, err string
	}{
		"alone":            {secretHash + "\n", secretHash, ""},
		"mosquitto_passwd": {"bob:$7$1$x$y\nann:" + secretHash + "\nannabel:$7$2$x$y\n", secretHash, ""},
		"another user":     {"bob:" + secretHash + "\n", "", "has no line ann:HASH"},
		"a password":       {"hunter2\n", "", "hash-password"},
		"empty":            {"", "", "hash-password"},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readHash(file, "ann")
		if got != row.want || (err == nil) != (row.err == "") || err != nil && (!strings.Contains(err.Error(), row.err) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := readHash(dir, "ann"); err == nil {
		t.Error("a folder was read")
	}
	c := &config.Config{Broker: config.Broker{Listen: ":1883", Users: []config.BrokerUser{{Name: "ann", PasswordFile: filepath.Join(dir, "missing")}}}}
	if _, err := Check(c, time.Time{}); err == nil || !strings.Contains(err.Error(), `user "ann"`) {
		t.Errorf("a missing file: %v", err)
	}
}

// How long the broker keeps sessions of absent clients is the configuration's; two hours
// if it says nothing.
func TestSessionExpiryOfTheConfiguration(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 2 * time.Hour, ", session_expiry: 5m": 5 * time.Minute} {
		cfg, _, err := config.Parse("test", []byte("broker: {listen: \"127.0.0.1:0\""+text+"}\nthings: [{name: c, type: camera}]\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		o, err := BrokerOptions(&cfg.Broker)
		if err != nil || o.SessionExpiry != want {
			t.Errorf("%q: %v, %v, want %v", text, o.SessionExpiry, err, want)
		}
	}
}
