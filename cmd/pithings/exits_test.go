package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// No command ends with 0 that has not done what it was asked for, and each says why.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	state, empty, missing := filepath.Join(dir, "state"), filepath.Join(dir, "empty"), filepath.Join(dir, "missing")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"STATE_DIRECTORY", "PITHINGS_CONFIG", "PITHINGS_STATE", "PITHINGS_MQTT_ENDPOINT"} {
		t.Setenv(name, "")
	}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	bad := file("bad.yaml", "name: Hall\nsteps: 7\n")
	wrong := file("wrong.jsonl", "{\"topic\": \"a\", \"payload\": \"x\"}\nno JSON\n")
	const dead = "mqtt://127.0.0.1:1"
	for _, tc := range []struct {
		args []string
		code int
		says string // on either output
	}{
		// What is kept is done: pub promises that it is on the disk.
		{[]string{"pub", "-t", "a", "-m", "b", "--state", state}, 0, "kept in " + state},
		{[]string{"pub", "-t", "a", "-m", "b", "--state", state, "-e", dead, "--linger", "1s"}, 0, "not delivered yet: "},
		{[]string{"pub", "-t", "a", "-f", missing, "--state", state}, 1, "no such file"},
		{[]string{"pub", "-t", "a/#", "-m", "b", "--state", state}, 2, "-t: "},
		{[]string{"pub", "-m", "b", "--state", state}, 2, "-t TOPIC"},
		{[]string{"pub", "--drain", "--state", state}, 1, "name the broker"},
		{[]string{"pub", "--drain", "--state", state, "-e", dead, "--timeout", "300ms"}, 1, "not delivered yet"},
		{[]string{"pub", "--drain", "--state", empty}, 0, "nothing waits"},
		{[]string{"pub", "-t", "a", "-m", "b", "--state", filepath.Join(bad, "x")}, 1, "--state DIR"},

		{[]string{"queue", "ls", "--state", state}, 0, "CLIENT ID"},
		{[]string{"queue", "ls", "--state", missing}, 1, "--state DIR"},
		{[]string{"queue", "ls", "unknown", "--state", state}, 1, `no queue of a client "unknown"`},
		{[]string{"queue", "export", "unknown", "--state", state}, 1, `no queue of a client "unknown"`},
		{[]string{"queue", "export", "--state", missing}, 1, "--state DIR"},
		{[]string{"queue", "import", missing, "--state", empty}, 1, "no such file"},
		{[]string{"queue", "import", wrong, "--state", empty}, 1, "line 2"},
		{[]string{"queue", "purge", "--state", state}, 1, "nothing was deleted"},
		{[]string{"queue", "purge", "--topic", "other", "--yes", "--state", state}, 0, "nothing to delete"},
		{[]string{"queue"}, 2, "ls, export, import or purge"},

		{[]string{"flow", "list", "--state", empty}, 0, "no agent runs"},
		{[]string{"flow", "deploy", bad, "--state", empty}, 1, "bad.yaml:"},
		{[]string{"flow", "validate", bad}, 1, "bad.yaml:"},
		{[]string{"flow", "show", "Hall", "--state", empty}, 1, "no deployment"},
		{[]string{"flow", "undeploy", "Hall", "--state", empty}, 1, "no deployment"},
		{[]string{"flow", "delete", "Hall", "--state", empty}, 1, "no deployment"},
		{[]string{"flow", "start", "Hall", "--state", empty}, 1, "no agent runs"},
		{[]string{"flow", "executions", "Tpyo", "--state", empty}, 1, "Tpyo"},
		{[]string{"flow", "export", "Hall", "--state", empty}, 1, "no deployment"},
		{[]string{"flow", "import", bad}, 1, "bad.yaml:"},
		{[]string{"flow", "run", "-e", dead, missing}, 1, "no such file"},

		{[]string{"run"}, 2, "--mock"},
		{[]string{"run", missing}, 78, missing},
		{[]string{"run", "--mock", "--state", state}, 1, "real things"},
		{[]string{"publish", "--mock", "-e", dead, "--state", state}, 1, "real things"},
		{[]string{"publish", "--mock", "-e", dead, "--interval", "0"}, 2, "--interval"},
		{[]string{"ms", "--mock", "-e", dead, "--state", state}, 1, "real things"},
		{[]string{"camera", "--mock", "-e", dead, "--state", state}, 1, "real things"},
		{[]string{"screen", "--mock", "-e", dead, "--state", state}, 1, "real things"},

		{[]string{"config", "check", missing}, 1, missing},
		{[]string{"config", "check", bad}, 1, "bad.yaml:"},
		{[]string{"read", "motion", "--mock", "--wait", "10ms"}, 1, "no motion within"},
		{[]string{"capture", filepath.Join(missing, "a.jpg"), "--mock"}, 1, missing},
		{[]string{"show", missing, "--mock"}, 1, "no such file"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			var out, errs bytes.Buffer
			code := execute(t.Context(), tc.args, strings.NewReader(""), &out, &errs)
			if code != tc.code || !strings.Contains(out.String()+errs.String(), tc.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, tc.code, tc.says, out.String(), errs.String())
			}
			if code != 0 && strings.TrimSpace(errs.String()) == "" {
				t.Error("it does not say why")
			}
		})
	}
}

// A secret that every user can read ends run with the code of a wrong configuration, and the line that
// closes it; config check has its place.
func TestExposedSecretEndsRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have other rights there")
	}
	ownHome(t)
	dir := t.TempDir()
	for d := dir; d != filepath.Dir(os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pass, file := filepath.Join(dir, "pass"), filepath.Join(dir, "pithings.yaml")
	for path, text := range map[string]string{pass: "hush\n", file: "mqtt: {endpoint: mqtts://127.0.0.1:1, username: u, password_file: pass}\nthings: [{name: x, type: camera}]\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(pass, 0o644); err != nil {
		t.Fatal(err)
	}
	want := file + ":1:67: every user of this system can read the password in " + pass + "; if none of them has taken it: chmod o= " + pass
	for command, code := range map[string]int{"run": exitConfig, "config check": exitFailure} {
		out, errs, got := cli(t, "", append(strings.Fields(command), file)...)
		if got != code || !strings.Contains(errs, want) || strings.Contains(out+errs, "hush") {
			t.Errorf("%s: exit code %d, want %d and %s:\n%s%s", command, got, code, want, out, errs)
		}
	}
	if _, errs, code := cli(t, "", "pub", "-e", "mqtts://127.0.0.1:1", "--username", "u", "--password-file", pass, "-t", "a", "-m", "b", "--state", t.TempDir()); code == exitOK || !strings.Contains(errs, "chmod o= "+pass) {
		t.Errorf("pub: exit code %d: %s", code, errs)
	}
}
