//go:build system

package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// embedded runs an agent with its own broker and these lines of configuration below
// "broker:", and returns the broker's port.
func embedded(t *testing.T, lines ...string) int {
	t.Helper()
	port := freePort(t)
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf(`broker:
  listen: 127.0.0.1:%d
  %s
http: {listen: 127.0.0.1:0}
things:
  - {name: TG_MS, type: motion, pin: mock, warm_up: 0s}
`, port, strings.Join(lines, "\n  "))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := finish(t, "config", "check", file); code != 0 {
		t.Fatalf("config check: %s", errs)
	}
	p := start(t, binary.Path, "run", "--mock", "--config", file)
	p.log("embedded broker listens")
	return port
}

// mosquittoFails runs mosquitto_pub or mosquitto_sub, which must be refused.
func mosquittoFails(t *testing.T, port int, program, want string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary.Need(t, program), append([]string{"-h", "127.0.0.1", "-p", fmt.Sprint(port)}, args...)...)
	out, err := c.CombinedOutput()
	if err == nil && program == "mosquitto_pub" || !strings.Contains(string(out), want) { // mosquitto_sub exits with 0
		t.Errorf("%s %v: %v, want %q in:\n%s", program, args, err, want, out)
	}
}

// TestEmbeddedBrokerWithMosquittosClients: users by hashes of ours and of
// mosquitto_passwd, with their topics; the agent itself needs no login.
func TestEmbeddedBrokerWithMosquittosClients(t *testing.T) {
	dir := t.TempDir()
	ours := filepath.Join(dir, "hall.hash")
	c := exec.CommandContext(t.Context(), binary.Path, "hash-password")
	c.Stdin = strings.NewReader("hush\n")
	hash, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ours, hash, 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(dir, "passwd")
	if out, err := exec.CommandContext(t.Context(), binary.Need(t, "mosquitto_passwd"), "-b", "-c", theirs, "ann", "secret").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	port := embedded(t, "users:",
		"  - {name: hall, password_file: "+ours+", publish: [hall/#], subscribe: []}",
		"  - {name: ann, password_file: "+theirs+"}")

	ann := subscribe(t, port, "-u", "ann", "-P", "secret")
	ann.message("TG_MS/motion") // by the agent, which has no name
	publish(t, port, "hall/light", "on", "-u", "hall", "-P", "hush")
	if got := ann.message("hall/light"); got != "on" {
		t.Errorf("received %q", got)
	}
	mosquittoFails(t, port, "mosquitto_pub", "not authorised", "-t", "x", "-m", "y")
	mosquittoFails(t, port, "mosquitto_pub", "not authorised", "-t", "x", "-m", "y", "-u", "ann", "-P", "wrong")
	mosquittoFails(t, port, "mosquitto_sub", "All subscription requests were denied", "-t", "#", "-u", "hall", "-P", "hush")
	publish(t, port, "kept", "mine", "-r", "-u", "ann", "-P", "secret")
	late := subscribe(t, port, "-u", "ann", "-P", "secret", "-i", "late")
	if got := late.message("kept"); got != "mine" {
		t.Errorf("retained %q", got)
	}
}

// TestEmbeddedBrokerWithCertificates: a client with a certificate needs no password.
func TestEmbeddedBrokerWithCertificates(t *testing.T) {
	a := newAuthority(t)
	a.Server("127.0.0.1", time.Now().Add(time.Hour))
	a.client("hall")
	a.client("stranger")
	port := embedded(t,
		"users: [{name: hall}]",
		"tls: {cert: "+a.File("server.pem")+", key: "+a.File("server.key")+", client_ca: "+a.File("ca.pem")+"}")
	flags := func(name string) []string {
		return []string{"--cafile", a.File("ca.pem"), "--cert", a.File(name + ".pem"), "--key", a.File(name + ".key")}
	}
	sub := subscribe(t, port, flags("hall")...)
	sub.message("TG_MS/motion")
	publish(t, port, "hall/light", strings.Repeat("x", 50_000), append([]string{"-V", "5"}, flags("hall")...)...)
	if got := sub.message("hall/light"); len(got) != 50_000 {
		t.Errorf("received %d bytes", len(got))
	}
	mosquittoFails(t, port, "mosquitto_pub", "not authorised", append([]string{"-t", "x", "-m", "y"}, flags("stranger")...)...)
	mosquittoFails(t, port, "mosquitto_pub", "", "-t", "x", "-m", "y", "--cafile", a.File("ca.pem"))
	mosquittoFails(t, port, "mosquitto_pub", "", "-t", "x", "-m", "y") // without TLS
}

// TestOpenNetworkBrokerIsRefused at the start and by config check, with the correction.
func TestOpenNetworkBrokerIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf("broker: {listen: \"0.0.0.0:%d\"}\nhttp: {listen: 127.0.0.1:0}\nthings: [{name: TG_MS, type: motion, pin: mock}]\n", freePort(t))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "check", file}, {"run", "--mock", "--config", file}} {
		_, errs, code := finish(t, args...)
		if code == 0 || !strings.Contains(errs, "allow_anonymous: true") || !strings.Contains(errs, "pithings hash-password") {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
}
