package provision

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func files(t *testing.T, name string) Files {
	t.Helper()
	key, text, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return Files{Key: text, Cert: []byte(selfSigned(t, key)), About: About{Thing: name, Endpoint: "mqtts://h:8883"}}
}

// A key that other users, or a group, could read is refused, with the command that closes it.
func TestLooseKeys(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	dir := filepath.Join(t.TempDir(), "it's")
	if err := Write(dir, files(t, "hall")); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o620, 0o602, 0o777} {
		if err := os.Chmod(filepath.Join(dir, KeyFile), mode); err != nil {
			t.Fatal(err)
		}
		_, err := Read(dir)
		if err == nil {
			t.Fatalf("mode %o is accepted", mode)
		}
		_, command, _ := strings.Cut(err.Error(), "it: ")
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v %s", command, err, out)
		}
		if _, err := Read(dir); err != nil {
			t.Errorf("after %s: %v", command, err)
		}
	}
}

func TestDamagedIdentities(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(dir string) error
		want  string
	}{
		{"another key", func(dir string) error { return os.WriteFile(filepath.Join(dir, KeyFile), files(t, "x").Key, 0o600) }, "does not belong"},
		{"no certificate", func(dir string) error { return os.Remove(filepath.Join(dir, CertFile)) }, "cannot be read"},
		{"no JSON", func(dir string) error { return os.WriteFile(filepath.Join(dir, AboutFile), []byte("{"), 0o600) }, "move"},
		{"odd name", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, AboutFile), []byte(`{"thing":"a/#"}`), 0o600)
		}, "letters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			state := t.TempDir()
			if err := Write(filepath.Join(state, Folder), files(t, "hall")); err != nil {
				t.Fatal(err)
			}
			if err := tt.spoil(filepath.Join(state, Folder)); err != nil {
				t.Fatal(err)
			}
			if _, err := Identity(state); err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrNone) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := Identity(t.TempDir()); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
}

// Nothing is overwritten, and what an earlier run has left half done is.
func TestWriteOverwritesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hall")
	if err := os.MkdirAll(filepath.Join(dir+".new", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := files(t, "hall")
	if err := Write(dir, f); err != nil {
		t.Fatal(err)
	}
	err := Write(dir, files(t, "hall"))
	if !errors.Is(err, ErrThere) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("%v", err)
	}
	if now, _ := os.ReadFile(filepath.Join(dir, KeyFile)); string(now) != string(f.Key) {
		t.Error("the key is another one")
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"hall", "dev-0001", "b8:27:eb:00", "A_b.c", strings.Repeat("x", 128)} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", "-x", "a/b", "a b", "a#", "+", "$aws", "é", "a\n", "a'b", strings.Repeat("x", 129), `a\b`, "%u"} {
		if CheckName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

// The lines are what a shell reads, whatever the folder is called, and name no secret.
func TestExports(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `a '$(touch x)" b`)
	f := files(t, "hall")
	f.CA = f.Cert
	if err := Write(dir, f); err != nil {
		t.Fatal(err)
	}
	d, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	script := d.Exports() + `printf '%s\n' "$PITHINGS_MQTT_ENDPOINT" "$PITHINGS_MQTT_CLIENT_ID" "$PITHINGS_MQTT_CA" "$PITHINGS_MQTT_CERT" "$PITHINGS_MQTT_KEY" "$IOT_ENDPOINT" "$IOT_PORT" "$DEVICE_NAME" "$ROOT_CA" "$CERT" "$KEY"`
	out, err := exec.Command("sh", "-euc", script).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
	want := strings.Join([]string{"mqtts://h:8883", "hall", d.CA(), d.Cert(), d.Key(), "h", "8883", "hall", d.CA(), d.Cert(), d.Key(), ""}, "\n")
	if string(out) != want {
		t.Errorf("%s\nwant\n%s", out, want)
	}
	if strings.Contains(script, "BEGIN") {
		t.Error(script)
	}
}

func TestErase(t *testing.T) {
	dir := t.TempDir()
	file, link, second := filepath.Join(dir, "key"), filepath.Join(dir, "link"), filepath.Join(dir, "second")
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, second); err != nil { // keeps the bytes for us to look at
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := Erase(link); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a link is followed: %v", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "secret" {
		t.Errorf("%q, %v", b, err)
	}
	for range 2 { // once more does no harm
		if err := Erase(file); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(file); !os.IsNotExist(err) {
		t.Errorf("it is there (%v)", err)
	}
	if b, err := os.ReadFile(second); err != nil || string(b) != "\x00\x00\x00\x00\x00\x00" {
		t.Errorf("%q, %v", b, err)
	}
}

// The settings are those by which an agent is this device, and the configuration says the same.
func TestSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hall")
	f := files(t, "hall")
	if err := Write(dir, f); err != nil {
		t.Fatal(err)
	}
	d, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := d.Settings()
	want := map[string]string{"endpoint": "mqtts://h:8883", "client_id": "hall", "cert": d.Cert(), "key": d.Key()}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	text := string(Config("hall", d.Endpoint, Paths{Cert: d.Cert(), Key: d.Key()}, "a\nb", true))
	for key, value := range want {
		if !strings.Contains(text, "  "+key+": \""+value+"\"\n") {
			t.Errorf("%s\nhas no %s: %s", text, key, value)
		}
	}
}
