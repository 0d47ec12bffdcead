package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pithings/awsiot/provision"
)

// provisioning runs one command line.
func provisioning(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = execute(t.Context(), args, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

// apart keeps the machine's own agents and variables out of a test.
func apart(t *testing.T) {
	t.Helper()
	for _, name := range []string{"PITHINGS_CONFIG", "PITHINGS_STATE", "PITHINGS_MQTT_ENDPOINT", "PITHINGS_MQTT_CERT", "PITHINGS_MQTT_KEY", "CONFIG_FILE_URL"} {
		t.Setenv(name, "") // so that it is put back
		os.Unsetenv(name)
	}
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
}

func TestProvisionLocal(t *testing.T) {
	apart(t)
	dir := filepath.Join(t.TempDir(), "pki")
	code, out, errs := provisioning(t, "", "provision", "local", "--dir", dir, "--name", "hall", "--host", "broker.example")
	if code != exitOK || !strings.Contains(out, "made server.pem") || !strings.Contains(out, "hall has its identity in "+filepath.Join(dir, "devices", "hall")) {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	hall := filepath.Join(dir, "devices", "hall")
	if code, out, errs := provisioning(t, "", "config", "check", filepath.Join(hall, "pithings.yaml")); code != exitOK {
		t.Errorf("the configuration beside it: %s%s", out, errs)
	}
	if code, _, errs := provisioning(t, "", "provision", "local", "--dir", dir, "--name", "hall"); code != exitFailure || !strings.Contains(errs, "not overwritten") {
		t.Errorf("once more: %d %s", code, errs)
	}
	code, out, errs = provisioning(t, "", "provision", "local", "--dir", dir, "--name", "porch", "--export")
	if code != exitOK || !strings.HasPrefix(out, "export PITHINGS_MQTT_ENDPOINT=") || strings.Contains(out, "BEGIN") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if code, out, errs = provisioning(t, "", "provision", "local", "--dir", dir, "--count", "3"); code != exitOK || !strings.Contains(out, "made 3 devices") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if code, out, errs = provisioning(t, "", "provision", "local", "--dir", dir, "--renew", "--host", "second.example"); code != exitOK || !strings.Contains(out, "renewed server.pem") || !strings.Contains(out, "5 devices looked at") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
}

func TestProvisionStatus(t *testing.T) {
	apart(t)
	dir, state := filepath.Join(t.TempDir(), "pki"), t.TempDir()
	if code, _, errs := provisioning(t, "", "provision", "status", "--state", state); code != exitFailure || !strings.Contains(errs, "there is no identity") {
		t.Fatalf("%d %s", code, errs)
	}
	if code, _, errs := provisioning(t, "", "provision", "local", "--dir", dir, "--name", "hall", "--days", "60", "-e", "broker.example"); code != exitOK {
		t.Fatal(errs)
	}
	hall := filepath.Join(dir, "devices", "hall")
	if err := os.Rename(hall, filepath.Join(state, provision.Folder)); err != nil {
		t.Fatal(err)
	}
	yaml := filepath.Join(state, provision.Folder, "pithings.yaml")
	for _, where := range [][]string{{"--state", state}, {"--dir", filepath.Join(state, provision.Folder)}, {"--config", yaml}} {
		code, out, errs := provisioning(t, "", append([]string{"provision", "status", "--json"}, where...)...)
		var s provision.Status
		if err := json.Unmarshal([]byte(out), &s); code != exitOK || err != nil {
			t.Fatalf("%v: %d %v %s%s", where, code, err, out, errs)
		}
		if s.ClientID != "hall" || s.Subject != "CN=hall" || !strings.HasPrefix(s.Issuer, "CN=pithings CA of ") || len(s.Fingerprint) != 64 || s.DaysLeft < 58 || s.DaysLeft > 60 ||
			s.Condition != provision.Good || s.Algorithm != "EC P-256" || s.Endpoint != "mqtts://broker.example" || s.Renewal == "" || s.Doubts != "" {
			t.Errorf("%v: %+v", where, s)
		}
	}
	t.Setenv("PITHINGS_MQTT_CLIENT_ID", "hall-2")
	if code, out, errs := provisioning(t, "", "provision", "status", "--state", state); code != exitOK || !strings.Contains(out, "client id    hall-2\n") || !strings.Contains(out, "endpoint     mqtts://broker.example") {
		t.Errorf("with another client id: %d %s%s", code, out, errs)
	}
	os.Unsetenv("PITHINGS_MQTT_CLIENT_ID")
	if code, out, errs := provisioning(t, "", "provision", "status", "--state", state, "--within", "90"); code != exitSoon || !strings.Contains(out, "ends soon") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, _ := provisioning(t, "", "provision", "status", "--state", state, "--export"); code != exitOK || !strings.Contains(out, "export DEVICE_NAME=hall\n") {
		t.Errorf("%d %s", code, out)
	}
	if runtime.GOOS == "windows" {
		return
	}
	key := filepath.Join(state, provision.Folder, provision.KeyFile)
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := provisioning(t, "", "provision", "status", "--state", state); code != exitFailure || !strings.Contains(errs, "chmod 600 "+key) {
		t.Errorf("%d %s", code, errs)
	}
}

// What is wrong with a command line is said before anything is made.
func TestProvisionMistakes(t *testing.T) {
	apart(t)
	dir := filepath.Join(t.TempDir(), "x")
	file := filepath.Join(t.TempDir(), "claim")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"provision"}, exitUsage, "say local, aws, document or status"},
		{[]string{"provision", "local"}, exitUsage, "--dir FOLDER"},
		{[]string{"provision", "local", "--dir", dir, "--name", "a/b"}, exitUsage, "--name"},
		{[]string{"provision", "local", "--dir", dir, "--name", "a", "--count", "2"}, exitUsage, "one of them"},
		{[]string{"provision", "local", "--dir", dir, "--count", "100000"}, exitUsage, "from 1 to 10000"},
		{[]string{"provision", "local", "--dir", dir, "--host", "mqtts://h"}, exitUsage, "no scheme"},
		{[]string{"provision", "local", "--dir", dir, "--days", "0"}, exitUsage, "--days"},
		{[]string{"provision", "local", "--dir", dir, "--renew"}, exitFailure, "no authority"},
		{[]string{"provision", "aws", "--state", dir}, exitUsage, "-e is missing"},
		{[]string{"provision", "aws", "--state", dir, "-e", "h"}, exitUsage, "--template NAME"},
		{[]string{"provision", "aws", "--state", dir, "-e", "h", "--template", "t"}, exitUsage, "the claim is missing"},
		{[]string{"provision", "aws", "--state", dir, "-e", "h", "--template", "t", "--claim", file, "--claim-cert", file}, exitUsage, "one of them"},
		{[]string{"provision", "aws", "--state", dir, "-e", "h", "--template", "t", "--claim", file}, exitFailure, "create-provisioning-claim"},
		{[]string{"provision", "aws", "--state", dir, "-e", "h", "--template", "t", "--claim-cert", file, "--claim-key", file}, exitFailure, "holds no certificate"},
		{[]string{"provision", "aws", "--state", dir, "-e", "h", "--template", "t", "--claim-cert", file, "--claim-key", file, "--param", "x"}, exitUsage, "NAME=VALUE"},
		{[]string{"provision", "status", "--state", dir, "--within", "-1"}, exitUsage, "--within"},
	} {
		code, out, errs := provisioning(t, "", tt.args...)
		if code != tt.code || !strings.Contains(errs, tt.want) || out != "" {
			t.Errorf("%v: %d %s%s", tt.args, code, out, errs)
		}
		if _, err := os.Stat(filepath.Join(dir, "identity.new")); err == nil {
			t.Errorf("%v leaves identity.new", tt.args)
		}
	}
}

func TestProvisionDocument(t *testing.T) {
	apart(t)
	pki, state := filepath.Join(t.TempDir(), "pki"), t.TempDir()
	if code, _, errs := provisioning(t, "", "provision", "local", "--dir", pki, "--name", "dev-QAUE"); code != exitOK {
		t.Fatal(errs)
	}
	from := filepath.Join(pki, "devices", "dev-QAUE")
	part := func(name string) string {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	b, err := json.Marshal(map[string]string{"iot_endpoint": "h.example", "device_name": "dev-QAUE", "cert": part("device.crt"), "root_ca": part("ca.pem"), "key": part("device.key"), "device-type": "bulb"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "it")
	if code, out, errs := provisioning(t, "", "provision", "document", file, "--dir", dir, "--export"); code != exitOK || !strings.Contains(out, "export KEY="+dir) || strings.Contains(out+errs, "BEGIN") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, _, errs := provisioning(t, "", "provision", "document", file, "--dir", dir); code != exitFailure || !strings.Contains(errs, "not overwritten") {
		t.Errorf("once more: %d %s", code, errs)
	}
	if code, out, errs := provisioning(t, string(b), "provision", "document", "-", "--identity", "--state", state); code != exitOK || !strings.Contains(out, filepath.Join(state, "identity")) {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, errs := provisioning(t, "", "provision", "status", "--state", state); code != exitOK || !strings.Contains(out, "client id    dev-QAUE") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, _, errs := provisioning(t, string(b), "provision", "document", "-", "--identity", "--state", state); code != exitFailure || !strings.Contains(errs, "not overwritten") {
		t.Errorf("once more: %d %s", code, errs)
	}
	t.Setenv("CONFIG_FILE_URL", "http://h.example/x?X-Signature=SECRET")
	if code, _, errs := provisioning(t, "", "provision", "document"); code != exitFailure || !strings.Contains(errs, "not https") || strings.Contains(errs, "SECRET") {
		t.Errorf("%d %s", code, errs)
	}
	os.Unsetenv("CONFIG_FILE_URL")
	if code, _, errs := provisioning(t, "", "provision", "document"); code != exitUsage || !strings.Contains(errs, "name the document") {
		t.Errorf("%d %s", code, errs)
	}
}
