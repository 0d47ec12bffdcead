package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"pithings/agent/access"
)

// Passwords and tokens are set in the folder of an agent that does not run, and printed once.
func TestPasswdAndTokens(t *testing.T) {
	dir := t.TempDir()
	say := func(stdin string, args ...string) (out, errs string, code int) {
		var o, e bytes.Buffer
		code = execute(t.Context(), args, strings.NewReader(stdin), &o, &e)
		return o.String(), e.String(), code
	}
	works := func(password string) bool {
		t.Helper()
		d, err := access.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Login(context.Background(), netip.Prefix{}, password)
		return err == nil
	}
	token, warned, code := say("", "token", "add", "grafana", "--role", "act", "--from", "10.0.0.0/8,fd00::/8", "--state", dir)
	if code != exitOK || !strings.HasPrefix(token, "pithings_") || !strings.Contains(warned, "no password is set") {
		t.Fatalf("%d %s %s", code, token, warned)
	}
	if _, errs, code := say("correct horse\n", "passwd", "--stdin", "--state", dir); code != exitOK || !works("correct horse") {
		t.Errorf("%d %s", code, errs)
	}
	made, errs, code := say("", "passwd", "--generate", "--state", dir)
	if code != exitOK || works("correct horse") || !works(strings.TrimSpace(made)) {
		t.Errorf("%d %q %s", code, made, errs)
	}
	hash, errs, code := say("correct horse\n", "passwd", "--hash", "--stdin")
	if code != exitOK || access.CheckHash(strings.TrimSpace(hash)) != nil || works("correct horse") {
		t.Errorf("%d %q %s", code, hash, errs)
	}
	if _, errs, code := say("short\n", "passwd", "--stdin", "--state", dir); code != exitFailure || !strings.Contains(errs, "less than 8 bytes") {
		t.Errorf("%d %s", code, errs)
	}
	list, errs, code := say("", "token", "list", "--state", dir)
	if code != exitOK || !strings.Contains(list, "grafana  act   10.0.0.0/8 fd00::/8") || !strings.Contains(list, "never") || strings.Contains(list, strings.TrimSpace(token)) {
		t.Errorf("%d %s %s", code, list, errs)
	}
	for _, bad := range [][]string{{"add", "x", "--role", "root"}, {"add", "x", "--from", "10.0.0.0"}, {"add", "grafana"}, {"revoke", "x"}} {
		if out, errs, code := say("", append(append([]string{"token"}, bad...), "--state", dir)...); code != exitFailure || out != "" {
			t.Errorf("%v: %d %s %s", bad, code, out, errs)
		}
	}
	if _, errs, code := say("", "token", "revoke", "grafana", "--state", dir); code != exitOK {
		t.Errorf("%d %s", code, errs)
	}
	if list, _, _ := say("", "token", "list", "--state", dir); strings.Contains(list, "grafana") {
		t.Errorf("revoked: %s", list)
	}
}

// People find the fingerprint of the web server's certificate where they ask whether it works.
func TestHealthOfTheWebServer(t *testing.T) {
	var h health
	if err := json.Unmarshal([]byte(`{"web": {"sha256": "4D:41", "until": "2029-03-04T10:00:00Z", "self_made": true}}`), &h); err != nil {
		t.Fatal(err)
	}
	if got, want := h.web(), "web server: https, SHA-256 fingerprint 4D:41, valid until 2029-03-04\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := new(health).web(); got != "" {
		t.Errorf("without TLS: %q", got)
	}
}
