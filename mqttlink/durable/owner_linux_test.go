package durable

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// service is a user without a person.
const service = 61234

func foreignFolder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes files in other users' folders; make test runs this as root")
	}
	dir := filepath.Join(t.TempDir(), "pithings")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, service, service)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func ownerOf(t *testing.T, name string) uint32 {
	t.Helper()
	st, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Uid
}

// What root makes in the folder of a service is the service's.
func TestRootMakesForTheOwner(t *testing.T) {
	dir := foreignFolder(t)
	f, err := OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := errors.Join(MakeFolder(filepath.Join(dir, "flows", "hall")), Replace(filepath.Join(dir, "flows", "hall", "state"), []byte("{}")),
		Replace(filepath.Join(dir, "flows", "hall", "state"), []byte("{1}"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lock", "flows", "flows/hall", "flows/hall/state"} {
		if uid := ownerOf(t, filepath.Join(dir, name)); uid != service {
			t.Errorf("%s belongs to user %d", name, uid)
		}
	}
	if f, err := OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		t.Errorf("one that is there: %v", err)
	} else {
		f.Close()
	}
}

// A link that the folder's owner has put there does not make root open or give away
// what it names.
func TestRootFollowsNoLinkOfAnother(t *testing.T) {
	dir := foreignFolder(t)
	secret := filepath.Join(t.TempDir(), "shadow")
	if err := os.WriteFile(secret, []byte("root:"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "lock")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	if f, err := OpenFile(link, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		f.Close()
		t.Error("root followed a symbolic link of the folder's owner")
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(secret, link); err != nil {
		t.Fatal(err)
	}
	if f, err := OpenFile(link, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		f.Close()
	}
	if uid := ownerOf(t, secret); uid != 0 {
		t.Errorf("a file of root's belongs to user %d now", uid)
	}
}
