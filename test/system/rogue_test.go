//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pithings/test/binary"
)

// rogueVerdicts are those of fleet --types rogue, a line for each behaviour, in the order of the
// list. What is measured is not in them.
func (p *process) rogueVerdicts() string {
	p.t.Helper()
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	var r struct {
		Rogue []struct {
			Behaviour, Verdict, Severity, How, Detail, Remedy string
			Left                                              []string
		} `json:"rogue"`
	}
	if err := json.Unmarshal([]byte(strings.Join(p.lines, "\n")), &r); err != nil {
		p.t.Fatalf("%v: %s", err, strings.Join(p.lines, "\n"))
	}
	var b strings.Builder
	for _, one := range r.Rogue {
		if one.Verdict == "let through" {
			one.How = one.Severity
			if one.Remedy == "" {
				p.t.Errorf("%s is let through, and there is no remedy", one.Behaviour)
			}
		}
		switch {
		case one.How == "refused" || one.How == "dropped without a word": // mosquitto's versions differ
			one.How = "refused or dropped"
		case one.Behaviour == "reserved-bits" && one.Verdict == "let through" && one.Severity == "low": // 2.0.11 takes a PINGREQ with a length
			one.Verdict, one.How = "stopped", "closed the connection"
		}
		if one.Verdict == "not tested" {
			one.How = one.Detail
		}
		fmt.Fprintf(&b, "%-20s %-11s %s\n", one.Behaviour, one.Verdict, one.How)
		if len(one.Left) > 0 {
			p.t.Errorf("%s has left %q", one.Behaviour, one.Left)
		}
	}
	return b.String()
}

// compareVerdicts compares verdicts with those that are known.
func compareVerdicts(t *testing.T, file, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", "rogue", file))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("verdicts unlike those in testdata/rogue/%s:\n%s", file, got)
	}
}

// aMosquitto runs mosquitto by a configuration, as root where the test is.
func aMosquitto(t *testing.T, dir, conf string, port int) *process {
	t.Helper()
	if os.Geteuid() == 0 {
		conf += "user root\n" // it would give its rights up, and then not see our files
	}
	file := filepath.Join(dir, "test.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, binary.Need(t, "mosquitto"), "-c", file)
	awaitListener(t, port)
	return p
}

// A mosquitto that lets every client do everything lets nearly all through, and one with the
// configuration of provision local what cannot be forbidden to a device. Nothing retained stays.
func TestRogue(t *testing.T) {
	t.Parallel()
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		broker := aMosquitto(t, t.TempDir(), fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\n", port), port)
		ids := filepath.Join(t.TempDir(), "ids")
		if err := os.WriteFile(ids, []byte("dev-0002\n"), 0o600); err != nil { // the witness's
			t.Fatal(err)
		}
		p := start(t, binary.Path, "fleet", "-n", "1", "--types", "rogue", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--seed", "7", "--json", "--stolen-ids", ids)
		compareVerdicts(t, "open.txt", p.rogueVerdicts())
		if code := p.cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("exit code %d", code)
		}
		if !running(broker) {
			t.Error("mosquitto has ended")
		}
		noneRetained(t, port)
	})
	// All devices have one login, so the access list can only go by the client id, which each client
	// chooses. It keeps well-behaved devices apart.
	t.Run("one login", func(t *testing.T) {
		t.Parallel()
		dir, port := t.TempDir(), freePort(t)
		passwords, acl := filepath.Join(dir, "passwords"), filepath.Join(dir, "acl")
		if err := os.WriteFile(acl, []byte("pattern readwrite cmd/ac/%c/#\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(binary.Need(t, "mosquitto_passwd"), "-b", "-c", passwords, "fleet", "secret").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		aMosquitto(t, dir, fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\npassword_file %s\nacl_file %s\n", port, passwords, acl), port)
		p := startAs(t, func(c *exec.Cmd) { c.Env = append(environment(t), "PITHINGS_MQTT_PASSWORD=secret") }, binary.Path,
			"fleet", "-n", "1", "--types", "rogue", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--username", "fleet", "--seed", "7", "--json")
		compareVerdicts(t, "onelogin.txt", p.rogueVerdicts())
		if code := p.cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		dir, port := filepath.Join(t.TempDir(), "pki"), freePort(t)
		provision(t, "local", "--dir", dir, "--count", "2", "-e", fmt.Sprintf("mqtts://localhost:%d", port))
		conf, err := os.ReadFile(filepath.Join(dir, "mosquitto.conf"))
		if err != nil {
			t.Fatal(err)
		}
		broker := aMosquitto(t, dir, strings.Replace(string(conf), "listener 8883\n", fmt.Sprintf("listener %d 127.0.0.1\n", port), 1), port)
		ids := filepath.Join(t.TempDir(), "ids")
		if err := os.WriteFile(ids, []byte("dev-0002\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p := start(t, binary.Path, "fleet", "-n", "1", "--types", "rogue", "--identities", dir, "--seed", "7", "--json", "--stolen-ids", ids)
		compareVerdicts(t, "locked.txt", p.rogueVerdicts())
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if !running(broker) {
			t.Error("mosquitto has ended")
		}
	})
}

func running(p *process) bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// noneRetained checks that an open broker keeps no message of rogue devices.
func noneRetained(t *testing.T, port int) {
	t.Helper()
	sub := start(t, binary.Need(t, "stdbuf"), "-oL", binary.Need(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-v", "-d", "-t", "#", "-t", "$aws/#")
	sub.await("SUBACK", func(l string) bool { return strings.Contains(l, "SUBACK") })
	publish(t, port, "done", "1")
	sub.await("the message behind all retained ones", func(l string) bool {
		if strings.Contains(l, "pithings-rogue") {
			t.Errorf("still retained: %s", l)
		}
		return l == "done 1"
	})
}
