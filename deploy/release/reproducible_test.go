package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTwoFoldersMakeTheSame: the binaries and packages that make release made here have the
// hashes of those made in a clone, whose folder has another name. Go's cache serves both: its
// keys hold the folder unless -trimpath has taken it out of what is compiled, so that a folder's
// name in a binary shows here nevertheless.
func TestTwoFoldersMakeTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("builds everything once more")
	}
	dist, version := published(t)
	here, err := openSource(root)
	if err != nil {
		t.Fatal(err)
	}
	if here.commit == "" {
		lacks(t, "the source is not in git")
	}
	if here.changed { // what is published is not of a commit: compare two clones of it
		dist = released(t, here, "one", version)
	}
	clone := released(t, here, "a folder with another name", version)
	want, got := read(t, filepath.Join(dist, "SHA256SUMS")), read(t, filepath.Join(clone, "SHA256SUMS"))
	if bytes.Count(want, []byte("\n")) < len(processors)+6 {
		t.Fatalf("the hashes are only\n%s", want)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the hashes are\n%s\nand, in another folder,\n%s", want, got)
	}
}

// released clones the commit of a source into a folder of this name, makes the release there,
// and returns its dist.
func released(t *testing.T, s source, name, version string) (dist string) {
	t.Helper()
	clone := filepath.Join(t.TempDir(), name)
	command(t, "git", "clone", "--quiet", s.root, clone)
	command(t, "git", "-C", clone, "checkout", "--quiet", s.commit)
	build(t, clone, "RELEASE_KEY=", "release", "VERSION="+version)
	return filepath.Join(clone, "dist")
}

// build runs make in a folder, with one more variable of the environment.
func build(t *testing.T, folder, env string, args ...string) {
	t.Helper()
	c := exec.Command("make", append([]string{"-s", "-C", folder}, args...)...)
	c.Env = append(os.Environ(), "MAKEFLAGS=", env)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
