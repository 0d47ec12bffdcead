package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pithings/conf"
)

// TestPasswordFilesOfWindows: Notepad puts a mark before the text, which was taken for a part
// of the password (mqtt-cli#136); PowerShell's > writes UTF-16.
func TestPasswordFilesOfWindows(t *testing.T) {
	dir := t.TempDir()
	for name, tc := range map[string]struct{ text, want, err string }{
		"plain":           {"hush\n", "hush", ""},
		"mark":            {"\xef\xbb\xbfhush\r\n", "hush", ""},
		"mark, longest":   {"\xef\xbb\xbf" + strings.Repeat("x", maxPassword) + "\r\n", strings.Repeat("x", maxPassword), ""},
		"mark alone":      {"\xef\xbb\xbf\n", "", "the first line of"},
		"too long":        {strings.Repeat("x", maxPassword+1) + "\n", "", "too long"},
		"UTF-16":          {"\xff\xfeh\x00u\x00\r\x00\n\x00", "", "is UTF-16 text; save it as UTF-8"},
		"UTF-16, swapped": {"\xfe\xff\x00h\x00u\x00\n", "", "is UTF-16 text; save it as UTF-8"},
	} {
		path := write(t, filepath.Join(dir, name), tc.text, 0o600)
		got, err := ReadPassword(path)
		if got != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %.20q, %v", name, got, err)
		}
	}
}

// openFolder is a folder that every user of the system can enter.
func openFolder(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("files have other rights there")
	}
	dir := t.TempDir()
	for d := dir; d != filepath.Dir(os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadablePassword(t *testing.T) {
	text := "mqtt: {endpoint: mqtts://h, username: u, password: hush}\nthings: [{name: x, type: camera}]\n"
	path := write(t, filepath.Join(openFolder(t), "c.yaml"), text, 0o644)
	_, warnings, err := Load(path, nil)
	want := path + ":1:52: every user of this system can read the password in this file; chmod o-r " + path + ", or use password_file"
	if err != nil || len(warnings) != 1 || warnings[0].String() != want {
		t.Errorf("%v %v", err, warnings)
	}
	write(t, path, text, 0o640)
	if _, warnings, err = Load(path, nil); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", err, warnings)
	}
}

// A private key that every user can read is no secret. It is refused once, however
// many things use it; a file that a group was given, and systemd's credentials, are not.
func TestExposedKeyIsRefused(t *testing.T) {
	dir := openFolder(t)
	write(t, filepath.Join(dir, "c.pem"), "", 0o644)
	key := write(t, filepath.Join(dir, "c.key"), "", 0o644)
	pass := write(t, filepath.Join(dir, "pass"), "hush\n", 0o604)
	text := "mqtt: {endpoint: mqtts://h, cert: c.pem, key: c.key, username: u, password_file: pass}\nthings: [{name: x, type: camera, mqtt: {client_id: y}}, {name: z, type: camera, device: /dev/video9}]\n"
	path := write(t, filepath.Join(dir, "c.yaml"), text, 0o644)
	_, _, err := Load(path, nil)
	want := path + ":1:47: every user of this system can read the private key " + key + "; if none of them has taken it: chmod o= " + key + "\n" +
		path + ":1:82: every user of this system can read the password in " + pass + "; if none of them has taken it: chmod o= " + pass
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %v", err, want)
	}
	write(t, key, "", 0o640)
	write(t, pass, "hush\n", 0o600)
	if _, warnings, err := Load(path, nil); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", err, warnings)
	}
	write(t, key, "", 0o642) // who can write it can make it another's
	if _, _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), "chmod o= "+key) {
		t.Error(err)
	}
	credentials := filepath.Join(dir, "credentials")
	if err := os.Mkdir(credentials, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(credentials, "c.key"), "", 0o444)
	if _, warnings, err := Load(path, []string{"CREDENTIALS_DIRECTORY=" + credentials}); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", err, warnings)
	}
	if _, _, err := ParseConnection("command line", []byte(`{"mqtt":{"endpoint":"mqtts://h","cert":"a","key":"`+write(t, key, "", 0o644)+`"}}`)); err == nil || !strings.Contains(err.Error(), "chmod o= "+key) {
		t.Error(err)
	}
}

// Each key of the configuration that names a file with a secret is looked at, in whatever list it is.
func TestEveryFileWithASecretIsRefused(t *testing.T) {
	dir := openFolder(t)
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return write(t, filepath.Join(dir, name), "hush\n", 0o604) }
	token := file("secrets/api token")
	text := "mqtt: {endpoint: mqtts://h, cert: /c, key: " + file("a") + ", username: u, password_file: " + file("b") + "}\n" +
		"broker: {listen: \"127.0.0.1:1883\", tls: {cert: /c, key: " + file("c") + "}, users: [{name: u, password_file: " + file("d") + "}]}\n" +
		"http: {token_file: " + file("e") + ", tls: {cert: /c, key: " + file("h") + "}, listen: \"0.0.0.0:8080\"}\nservices: {secrets: " + filepath.Join(dir, "secrets") + "}\n" +
		"things: [{name: x, type: camera, mqtt: {client_id: y, cert: /c, key: " + file("f") + ", username: u, password_file: " + file("g") + "}}]\n"
	_, _, err := Load(write(t, filepath.Join(dir, "c.yaml"), text, 0o600), nil)
	if err == nil {
		t.Fatal("nothing is refused")
	}
	for name := range strings.SplitSeq("abcdefgh", "") {
		if want := "chmod o= " + filepath.Join(dir, name); strings.Count(err.Error(), want+"\n")+strings.Count(err.Error()+"$", want+"$") != 1 {
			t.Errorf("%s is not refused once:\n%v", name, err)
		}
	}
	if !strings.Contains(err.Error(), "chmod o= '"+token+"'") {
		t.Errorf("the secrets of services are not looked at:\n%v", err)
	}
	secrets := 0
	for _, f := range conf.Leaves(new(Config)) {
		if base := f.Path[strings.LastIndexByte(f.Path, '.')+1:]; f.Tag.Get("file") == "credential" && (base == "key" || strings.HasSuffix(base, "_file")) {
			secrets++
		}
	}
	if secrets != 8 { // a to h
		t.Errorf("there are %d keys with the file of a secret: look at the new one, too", secrets)
	}
}

// So are the embedded broker's. The configuration, which holds more than hashes, is warned of.
func TestExposedSecretsOfTheBrokerAreRefused(t *testing.T) {
	dir := openFolder(t)
	for _, name := range []string{"b.key", "hashes"} {
		write(t, filepath.Join(dir, name), "", 0o644)
	}
	text := "broker:\n  listen: \":8883\"\n  tls: {cert: b.pem, key: b.key}\n  users:\n" +
		"    - {name: a, password_file: hashes}\n    - {name: b, password_file: hashes}\n    - {name: c, password_hash: " + hallHash + "}\n" +
		"things: [{name: x, type: camera}]\n"
	path := write(t, filepath.Join(dir, "c.yaml"), text, 0o644)
	_, warnings, err := Load(path, nil)
	if err == nil {
		t.Fatal("nothing is refused")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		got = append(got, line)
	}
	for _, w := range warnings {
		got = append(got, w.String())
	}
	want := []string{
		":3:27: every user of this system can read the private key " + filepath.Join(dir, "b.key") + "; if none of them has taken it: chmod o= ",
		":5:32: every user of this system can read the password hashes in " + filepath.Join(dir, "hashes") + "; if none of them has taken it: chmod o= ",
		":7:32: every user of this system can read the password hash in this file; chmod o-r " + path,
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i], path+w) {
			t.Errorf("%s\nwant %s%s", got[i], path, w)
		}
	}
}
