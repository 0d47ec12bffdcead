//go:build system

package system

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pithings/test/binary"
)

// provision runs pithings provision, and returns what it prints.
func provision(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(binary.Path, append([]string{"provision"}, args...)...)
	c.Env = environment(t)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("pithings provision %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A folder that provision local makes is all that a mosquitto and its devices need: the devices connect
// by their certificates, and the access list keeps each to its own topics.
func TestProvisionLocalWithMosquitto(t *testing.T) {
	dir, port := filepath.Join(t.TempDir(), "pki"), freePort(t)
	provision(t, "local", "--dir", dir, "--name", "hall", "--name", "porch", "--name", "monitor", "-e", fmt.Sprintf("mqtts://localhost:%d", port))
	conf, err := os.ReadFile(filepath.Join(dir, "mosquitto.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(conf), "listener 8883\n", fmt.Sprintf("listener %d 127.0.0.1\n", port), 1) + "log_dest stderr\n"
	if os.Geteuid() == 0 {
		text += "user root\n" // it would give its rights up, and then not see our files
	}
	acl := filepath.Join(dir, "acl")
	list, err := os.ReadFile(acl)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(acl, append(list, "user monitor\ntopic read #\ntopic read $aws/#\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "test.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Need(t, "mosquitto"), "-c", file)
	eventually(t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	// As a person does it by hand, with the lines of --export.
	by := func(device, command string) *exec.Cmd {
		lines := provision(t, "status", "--export", "--dir", filepath.Join(dir, "devices", device))
		c := exec.Command("sh", "-euc", lines+command)
		c.Env = environment(t)
		return c
	}
	listen := by("monitor", `exec mosquitto_sub -v -d -q 1 -t '#' -t '$aws/#' -h "$IOT_ENDPOINT" -p "$IOT_PORT" --cafile "$ROOT_CA" --cert "$CERT" --key "$KEY"`)
	monitor := startAs(t, func(c *exec.Cmd) { c.Env = listen.Env }, binary.Need(t, "stdbuf"), append([]string{"-oL"}, listen.Args...)...)
	monitor.await("SUBACK", func(l string) bool { return strings.Contains(l, "SUBACK") })

	publish := func(device, topic, payload string) {
		t.Helper()
		c := by(device, `exec mosquitto_pub -q 1 -h "$IOT_ENDPOINT" -p "$IOT_PORT" --cafile "$ROOT_CA" --cert "$CERT" --key "$KEY" -i "$DEVICE_NAME" -t "$1" -m "$2"`)
		c.Args = append(c.Args, "sh", topic, payload)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", device, err, out)
		}
	}
	own := []string{"hall/state", "cmd/hall/event", "cmd/ac/hall/res", "dt/ac/company1/area1/hall/temp", "$aws/things/hall/shadow/get"}
	for _, topic := range own {
		publish("porch", topic, "forged")
	}
	for _, topic := range own {
		publish("hall", topic, "real")
	}
	for _, topic := range own { // mosquitto acknowledges what it drops
		if line := monitor.await(topic, func(l string) bool { return strings.HasPrefix(l, topic+" ") }); line != topic+" real" {
			t.Errorf("%s", line)
		}
	}

	// pithings itself, by the same lines and by the configuration beside the identity.
	c := by("hall", `exec "$0" pub -t hall/pub -m one --linger 10s`)
	c.Args = append(c.Args, binary.Path)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := monitor.message("hall/pub"); got != "one" {
		t.Errorf("%q", got)
	}
	yaml := filepath.Join(dir, "devices", "hall", "pithings.yaml")
	pub := exec.Command(binary.Path, "pub", "--config", yaml, "-t", "hall/pub", "-m", "two", "--linger", "10s")
	pub.Env = environment(t)
	if out, err := pub.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := monitor.message("hall/pub"); got != "two" {
		t.Errorf("%q", got)
	}
	if said := provision(t, "status", "--config", yaml); !strings.Contains(said, "CN=hall") || !strings.Contains(said, "client id    hall") {
		t.Errorf("%s", said)
	}

	// A device of another authority of the same name stays outside.
	other := filepath.Join(t.TempDir(), "other")
	provision(t, "local", "--dir", other, "--name", "hall", "-e", fmt.Sprintf("mqtts://localhost:%d", port))
	c = exec.Command(binary.Need(t, "mosquitto_pub"), "-h", "localhost", "-p", fmt.Sprint(port), "--cafile", filepath.Join(dir, "ca.pem"),
		"--cert", filepath.Join(other, "devices/hall/device.crt"), "--key", filepath.Join(other, "devices/hall/device.key"), "-t", "hall/x", "-m", "x", "-q", "1")
	if out, err := c.CombinedOutput(); err == nil {
		t.Errorf("a device of another authority has connected: %s", out)
	}
	// OpenSSL agrees with all of it.
	for _, cert := range []string{"server.pem", "devices/hall/device.crt"} {
		out, err := exec.Command(binary.Need(t, "openssl"), "verify", "-x509_strict", "-CAfile", filepath.Join(dir, "ca.pem"), filepath.Join(dir, cert)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", cert, err, out)
		}
	}
}
