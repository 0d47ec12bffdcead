//go:build system

package system

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// TestAWSDeviceSDKs: the clients that AWS makes for devices agree with pithings cloud, over
// mutual TLS: the SDKs for JavaScript, version 1 (MQTT 3.1.1) and 2 (MQTT 5). Version 2 has
// its native library in the package, so that no script of the package has to run.
func TestAWSDeviceSDKs(t *testing.T) {
	node, npm := binary.Need(t, "node"), binary.Need(t, "npm")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/awssdk")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), binary.Patience)
	defer cancel()
	install := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	for name, want := range map[string][]string{
		"v1": {"get of no shadow", "update", "delta", "get", "foreign state change", "null", "delete", "job in progress", "job succeeded", "job failed", "device beside a thing"},
		"v2": {"get of no shadow", "update, delta and documents", "version conflict", "get", "delete", "no jobs", "notifications", "describe and start", "job succeeded, and refusals", "provisioning"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveCloud(t)
			var done io.Writer
			p := startAs(t, func(c *exec.Cmd) {
				in, err := c.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				c.Dir, done = dir, in
				c.Env = append(environment(t), fmt.Sprint("PORT=", s.port), "CA="+s.a.File("ca.pem"), "CERT="+s.a.File("device.pem"), "KEY="+s.a.File("device.key"))
			}, node, name+".js")
			for _, what := range want {
				for {
					line := p.await(what, func(string) bool { return true })
					if line == name+" "+what {
						break
					}
					request, ok := strings.CutPrefix(line, "please ")
					if !ok {
						t.Fatalf("%q, want %q", line, what)
					}
					s.please(request)
					io.WriteString(done, "done\n")
				}
			}
			<-p.ended
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit status %d", code)
			}
		})
	}
}

// please does what a script cannot do itself.
func (s *servedCloud) please(request string) {
	s.t.Helper()
	words := strings.SplitN(request, " ", 4)
	var err error
	switch words[0] {
	case "create":
		_, err = s.command("job", "create", words[2], words[3], "--id", words[1])
	case "expect":
		err = s.expect(words[1], words[2])
	case "set":
		flags := append([]string{"-e", "127.0.0.1", "-p", fmt.Sprint(s.port)}, s.a.flags("cloud")...)
		if _, said, code := finish(s.t, append([]string{"cloud", "shadow", "set", words[1], words[2], "-i", "app"}, flags...)...); code != 0 {
			err = fmt.Errorf("exit status %d: %s", code, said)
		}
	case "move":
		s.a.client("TG_MS")
		start(s.t, binary.Path, "run", "--mock", "--config", s.motion())
	default:
		err = fmt.Errorf("unknown request")
	}
	if err != nil {
		s.t.Fatalf("%s: %v", request, err)
	}
}

// motion is the configuration of a thing that detects motion.
func (s *servedCloud) motion() string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "pithings.yaml")
	var text bytes.Buffer
	fmt.Fprintf(&text, "mqtt: {endpoint: 'mqtts://127.0.0.1:%d', ca: %s, cert: %s, key: %s}\n", s.port, s.a.File("ca.pem"), s.a.File("TG_MS.pem"), s.a.File("TG_MS.key"))
	fmt.Fprintln(&text, "http: {listen: '127.0.0.1:0'}\nthings:\n  - {name: TG_MS, type: motion, pin: mock, warm_up: 0s}")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// expect waits until a job has a status: a device that has published with QoS 0 has no answer.
func (s *servedCloud) expect(id, status string) error {
	for deadline := time.Now().Add(binary.Patience); ; time.Sleep(50 * time.Millisecond) { // a foreign process: nothing to wait on
		out, err := s.command("job", "list", "--json")
		if err != nil {
			return err
		}
		var all []struct {
			Job    string `json:"jobId"`
			Status string `json:"status"`
		}
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			return err
		}
		for _, e := range all {
			if e.Job == id && e.Status == status {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the jobs are %s", out)
		}
	}
}
