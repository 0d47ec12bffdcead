package qemu

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cpio(1) must read what we write.
func TestInitramfsIsReadByCpio(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("skipped: this computer has no cpio")
	}
	source := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(source, []byte("odd"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := NewInitramfs()
	a.Copy("bin/init", 0o755, source)
	a.File("/etc/plan.json", 0o644, []byte("{}\n"))
	a.Link("bin/sh", "init")
	a.Dir("etc", 0o700) // is there already
	tree := t.TempDir()
	for name, perm := range map[string]os.FileMode{"lib/a.so": 0o644, "share/manual": 0o644} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o700), os.WriteFile(filepath.Join(tree, name), nil, perm)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.so", filepath.Join(tree, "lib/b.so")); err != nil {
		t.Fatal(err)
	}
	if err := a.Tree("tree", tree, func(name string) bool { return name == "share" }); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := a.Write(&archive); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cpio", "-itv", "--quiet")
	cmd.Stdin = &archive
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, want := range []struct{ mode, end string }{
		{"drwxr-xr-x", " dev"},
		{"crw-------", " dev/console"},
		{"crw-rw-rw-", " dev/null"},
		{"drwxr-xr-x", " bin"},
		{"-rwxr-xr-x", " bin/init"},
		{"drwxr-xr-x", " etc"},
		{"-rw-r--r--", " etc/plan.json"},
		{"lrwxrwxrwx", " bin/sh -> init"},
		{"drwxr-xr-x", " tree"},
		{"drwxr-xr-x", " tree/lib"},
		{"-rw-r--r--", " tree/lib/a.so"},
		{"lrwxrwxrwx", " tree/lib/b.so -> a.so"},
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want.mode) || !strings.HasSuffix(lines[i], want.end) {
			t.Fatalf("entry %d is not %s %s:\n%s", i, want.mode, want.end, out)
		}
	}
}

func TestModulesComeInTheOrderOfLoading(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"modules.dep": "kernel/a/hid-cp2112.ko: kernel/b/hid.ko kernel/c/gpiolib.ko\nkernel/b/hid.ko:\nkernel/c/gpiolib.ko:\n" +
			"kernel/d/vivid.ko: kernel/b/hid.ko\n",
		"modules.builtin": "kernel/e/configfs.ko\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Modules(dir, "hid_cp2112", "configfs", "vivid")
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = filepath.Base(got[i])
	}
	if want := "gpiolib.ko hid.ko hid-cp2112.ko vivid.ko"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	if _, err := Modules(dir, "gpio-mockup"); err == nil || !strings.Contains(err.Error(), "gpio-mockup") {
		t.Errorf("a module that is not there: %v", err)
	}
}

func TestConsoleLines(t *testing.T) {
	for _, c := range []struct{ line, kind, text string }{
		{"| --- PASS: TestX", "| ", "--- PASS: TestX"},
		{"| a program that says @@END x 0", "| ", "a program that says @@END x 0"},
		{"@@BEGIN hw/pi", "@@BEGIN ", "hw/pi"},
		{"[    3.6] cp2112: whatever@@END hw/pi 0", "@@END ", "hw/pi 0"},
		{"[    3.6] Kernel panic", "", "[    3.6] Kernel panic"},
		{"@@DONE", "@@DONE", ""},
		{"", "", ""},
	} {
		if e := event(c.line); e.Kind != c.kind || e.Text != c.text {
			t.Errorf("%q is %q, %q; want %q, %q", c.line, e.Kind, e.Text, c.kind, c.text)
		}
	}
}
