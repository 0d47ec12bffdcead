//go:build system

package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pithings/awsiot/cloud"
	"pithings/awsiot/cloud/cloudtest"
	"pithings/mqttlink"
	"pithings/test/binary"
)

// Fleet provisioning by the built program over a real mosquitto and mutual TLS: the cloud and the claim
// are devices of the same authority, which signs the new one, too.
func TestProvisionAWSWithMosquitto(t *testing.T) {
	dir, port := filepath.Join(t.TempDir(), "pki"), freePort(t)
	endpoint := fmt.Sprintf("mqtts://localhost:%d", port)
	provision(t, "local", "--dir", dir, "--name", "cloud", "--name", "claim", "-e", endpoint)
	read := func(path ...string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(append([]string{dir}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	conf := strings.Replace(string(read("mosquitto.conf")), "listener 8883\n", fmt.Sprintf("listener %d 127.0.0.1\n", port), 1) + "log_dest stderr\n"
	if os.Geteuid() == 0 {
		conf += "user root\n" // it would give its rights up, and then not see our files
	}
	acl := string(read("acl")) + "user cloud\ntopic readwrite $aws/#\ntopic read +/status\nuser claim\n" +
		"topic write $aws/certificates/create-from-csr/json\ntopic read $aws/certificates/create-from-csr/json/+\n" +
		"topic write $aws/provisioning-templates/fleet/provision/json\ntopic read $aws/provisioning-templates/fleet/provision/json/+\n"
	for name, text := range map[string]string{"test.conf": conf, "acl": acl} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, binary.Need(t, "mosquitto"), "-c", filepath.Join(dir, "test.conf"))
	eventually(t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	device := func(name string) string { return filepath.Join(dir, "devices", name) }
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID = endpoint, "cloud"
	o.CA, o.Cert, o.Key = filepath.Join(device("cloud"), "ca.pem"), filepath.Join(device("cloud"), "device.crt"), filepath.Join(device("cloud"), "device.key")
	taken := make(chan []string, 10)
	o.OnSuback = func(filters, _ []string) { taken <- filters }
	link, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	co := cloudtest.Options()
	co.Client, co.CACert, co.CAKey = link, read("ca.pem"), read("ca.key")
	c, err := cloud.New(co)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- c.Run(ctx) }()
	go func() { ended <- link.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, <-ended, c.Close()); err != nil {
			t.Error(err)
		}
	})
	for subscribed := false; !subscribed; {
		for _, f := range <-taken {
			subscribed = subscribed || strings.HasPrefix(f, "$aws/provisioning-templates/")
		}
	}

	state, claim := t.TempDir(), device("claim")
	aws := func(more ...string) (string, error) {
		c := exec.Command(binary.Path, append([]string{"provision", "aws", "-e", endpoint, "--ca", filepath.Join(dir, "ca.pem"), "--state", state,
			"--claim-cert", filepath.Join(claim, "device.crt"), "--claim-key", filepath.Join(claim, "device.key")}, more...)...)
		c.Env = environment(t)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	// Refusals keep the claim.
	if out, err := aws("--template", "fleet", "--param", "SerialNumber=stolen"); err == nil || !strings.Contains(out, "stays on this machine") || !strings.Contains(out, "it was reported as stolen (AccessDenied, 403)") {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := aws("--template", "fleet", "--param", "SerialNumber=7")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"registered as pi-7", "connected as pi-7", "erased the claim", "pi-7 has its identity in " + filepath.Join(state, "identity"), `client_id: "pi-7"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\nhas no %q", out, want)
		}
	}
	for _, name := range []string{"device.crt", "device.key"} {
		if _, err := os.Stat(filepath.Join(claim, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the claim's %s is there: %v", name, err)
		}
	}
	var who struct{ ClientID, Endpoint, Condition string }
	if err := json.Unmarshal([]byte(provision(t, "status", "--state", state, "--json")), &who); err != nil || who.ClientID != "pi-7" || who.Condition != "good" || who.Endpoint != endpoint {
		t.Errorf("%+v, %v", who, err)
	}
	runsAs(t, state, endpoint)
	if out, err := aws("--template", "fleet"); err == nil || !strings.Contains(out, "not overwritten") {
		t.Errorf("once more: %v\n%s", err, out)
	}
}

// runsAs runs an agent, whose configuration says nothing of a connection, as the device of its state
// folder, and hands a message over beside it, and after it.
func runsAs(t *testing.T, state, endpoint string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(file, []byte("http: {listen: \"127.0.0.1:0\"}\nthings: [{name: pi-7, type: host}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(state, "identity")
	with := func(args ...string) (out, errs string, code int) {
		t.Helper()
		c := exec.CommandContext(t.Context(), binary.Path, args...)
		c.Env = append(environment(t), "STATE_DIRECTORY="+state)
		var o, e strings.Builder
		c.Stdout, c.Stderr = &o, &e
		_ = c.Run() // the exit status says it
		return o.String(), e.String(), c.ProcessState.ExitCode()
	}
	if out, errs, code := with("config", "check", file); code != 0 {
		t.Errorf("config check: %d %s%s", code, out, errs)
	}
	out, errs, _ := with("config", "show", file)
	for key, value := range map[string]string{"endpoint": endpoint, "client_id": "pi-7", "ca": filepath.Join(identity, "ca.pem"), "cert": filepath.Join(identity, "device.crt"), "key": filepath.Join(identity, "device.key")} {
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
			return strings.HasPrefix(strings.TrimSpace(line), key+": ") && strings.Contains(line, value) && strings.HasSuffix(line, "# "+identity)
		}) {
			t.Errorf("config show has no %s: %s of the identity:\n%s%s", key, value, out, errs)
		}
	}
	agent := startAs(t, func(c *exec.Cmd) { c.Env = append(environment(t), "STATE_DIRECTORY="+state) }, binary.Path, "run", file)
	agent.log("client_id=pi-7")
	if out, errs, code := with("pub", "-t", "pi-7/hello", "-m", "hi"); code != 0 {
		t.Errorf("pub beside the agent: %d %s%s", code, out, errs)
	}
	if code, _ := agent.interrupt(); code != 0 {
		t.Errorf("the agent ends with %d", code)
	}
	if out, errs, code := with("pub", "-t", "pi-7/hello", "-m", "hi"); code != 0 || strings.Contains(errs, "kept") {
		t.Errorf("pub after the agent: %d %s%s", code, out, errs)
	}

	// An agent that runs without an identity takes one that has come meanwhile.
	late := t.TempDir()
	if err := os.WriteFile(file, []byte("mqtt: {endpoint: \""+endpoint+"\"}\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: pi-7, type: host}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	agent = startAs(t, func(c *exec.Cmd) { c.Env = append(environment(t), "STATE_DIRECTORY="+late) }, binary.Path, "run", file)
	agent.log("no connection")
	if err := os.CopyFS(filepath.Join(late, "identity"), os.DirFS(identity)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(late, "identity", "device.key"), 0o600); err != nil { // which CopyFS does not keep
		t.Fatal(err)
	}
	if out, errs, code := with("reload", "--state", late); code != 0 {
		t.Errorf("reload: %d %s%s", code, out, errs)
	}
	agent.log("client_id=pi-7")
	agent.interrupt()

	// A key that others can read is refused, and nothing else takes its place.
	key := filepath.Join(identity, "device.key")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", file}, {"pub", "-t", "pi-7/hello", "-m", "hi"}} {
		out, errs, code := with(args...)
		if code != 78 || !strings.Contains(errs, "chmod 600 "+key) {
			t.Errorf("%v with an open key: %d %s%s", args, code, out, errs)
		}
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A simulation is a cloud to try all of it with: shadows and jobs over its broker and its socket, and
// a device that registers there.
func TestCloudOfTheSimulation(t *testing.T) {
	state := t.TempDir()
	file := filepath.Join(t.TempDir(), "pi.yaml")
	const thing = "hall-pi"
	if err := os.WriteFile(file, []byte("mqtt: {client_id: "+thing+"}\nbroker: {listen: \"127.0.0.1:0\"}\nhttp: {listen: \"127.0.0.1:0\"}\n"+
		"awsiot: {jobs: {enabled: true}, shadow: {enabled: true}}\nthings: [{name: room, type: environment, interval: 10s}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mock := start(t, binary.Path, "run", "--mock", "--state", state, "--config", file)
	mock.log("this is a simulation")
	said := mock.logged()
	field := func(name string) string {
		t.Helper()
		_, rest, ok := strings.Cut(said[strings.Index(said, "this is a simulation"):], " "+name+"=")
		if !ok {
			t.Fatalf("the simulation does not say its %s:\n%s", name, said)
		}
		return strings.Fields(rest)[0]
	}
	broker := field("broker")
	if got := field("client_id"); got != thing {
		t.Errorf("its client id is %s", got)
	}
	if out, errs, code := finish(t, "cloud", "shadow", "set", thing, `{"log": {"level": "debug"}}`, "-e", broker); code != 0 {
		t.Fatalf("shadow set: %d %s%s", code, out, errs)
	}
	eventually(t, "what is desired is reported", func() bool {
		out, _, code := finish(t, "cloud", "shadow", "get", thing, "-e", broker)
		var document struct {
			State struct {
				Reported struct {
					Connected bool
					Log       struct{ Level string }
				}
			}
		}
		return code == 0 && json.Unmarshal([]byte(out), &document) == nil && document.State.Reported.Connected && document.State.Reported.Log.Level == "debug"
	})
	for _, document := range []string{`{"action": "diagnose"}`, `{"action": "update-config", "config": {"things": {"room": {"interval": "5s"}}}}`,
		`{"action": "update-config", "config": {"mqtt": {"endpoint": "mqtt://elsewhere"}}}`} {
		if out, errs, code := finish(t, "cloud", "job", "create", thing, document, "--state", state); code != 0 {
			t.Errorf("job create: %d %s%s", code, out, errs)
		}
	}
	eventually(t, "the jobs are done", func() bool {
		out, _, _ := finish(t, "cloud", "job", "list", "--state", state)
		return strings.Count(out, "SUCCEEDED") == 2 && strings.Count(out, "REJECTED") == 1
	})
	dir, own := filepath.Join(t.TempDir(), "pki"), t.TempDir()
	provision(t, "local", "--dir", dir, "--name", "claim")
	claim := filepath.Join(dir, "devices", "claim")
	if out := provision(t, "aws", "-e", broker, "--template", "fleet", "--param", "SerialNumber=7", "--state", own,
		"--claim-cert", filepath.Join(claim, "device.crt"), "--claim-key", filepath.Join(claim, "device.key")); !strings.Contains(out, "pi-7 has its identity in "+filepath.Join(own, "identity")) {
		t.Errorf("provision aws:\n%s", out)
	}
}
