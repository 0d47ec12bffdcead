//go:build system

package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// Ctrl-C ends 5,000 devices under TLS within 5 s, each with a goodbye, in the midst of a scenario.
func TestFleetUnderTLSIsInterrupted(t *testing.T) {
	devices := min(sizeOfFleet(t), 5000)
	dir, port := filepath.Join(t.TempDir(), "pki"), freePort(t)
	provision(t, "local", "--dir", dir, "--name", "all", "-e", fmt.Sprintf("mqtts://localhost:%d", port))
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\nset_tcp_nodelay true\nconnection_messages true\nlog_type notice\nlog_dest stderr\nlog_timestamp_format %%s\n",
		port, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	if os.Geteuid() == 0 {
		conf += "user root\n"
	}
	file, script := filepath.Join(dir, "test.conf"), filepath.Join(dir, "busy.yaml")
	for path, text := range map[string]string{file: conf, script: `name: busy
phases: [{name: all, for: 24h}]
faults:
  - {at: 1s, do: flood, rate: 2/s, share: 10%}
  - {at: 2s, do: malformed, share: 10%}
`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	broker := start(t, binary.Need(t, "mosquitto"), "-c", file)
	awaitListener(t, port)
	own := filepath.Join(dir, "devices", "all")
	fleet := start(t, binary.Path, "fleet", "--scenario", script, "-n", fmt.Sprint(devices), "--ramp", "1000", "-e", fmt.Sprintf("mqtts://localhost:%d", port), "--types", "telemetry", "--json",
		"--ca", filepath.Join(own, "ca.pem"), "--cert", filepath.Join(own, "device.crt"), "--key", filepath.Join(own, "device.key"))
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		all, _ := arrivals(broker.logged())
		if all >= devices {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d devices are connected", all, devices)
		}
	}
	code, took := fleet.interrupt()
	if code != 0 || took > 5*time.Second {
		t.Errorf("exit code %d after %v", code, took)
	}
	goodbyes := func() int { return strings.Count(broker.logged(), " disconnected.\n") }
	for deadline := time.Now().Add(time.Minute); goodbyes() < devices; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d said goodbye", goodbyes(), devices)
		}
	}
	t.Logf("%d devices ended within %v", devices, took)
}
