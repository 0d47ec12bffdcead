//go:build packages && linux

package packages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pithings/test/binary"
	"pithings/test/emulated/debian"
)

// limit is how long making the Debian may take: it fetches some hundred packages.
const limit = 10 * time.Minute

// base is the folder with the Debian that all tests begin with. It is never written to
// once it is made.
var base = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs("../../.cache/packages")
	if err != nil {
		return "", err
	}
	root := filepath.Join(dir, debian.Suite)
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	mirror, err := debian.Mirror()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// It gets its name once it is whole.
	half, err := os.MkdirTemp(dir, "half-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(half)
	fmt.Fprintln(os.Stderr, "making a Debian with debootstrap; that takes a minute or two, once")
	if err := bootstrap(half, mirror); err != nil {
		return "", err
	}
	if err := errors.Join(os.Chmod(half, 0o755), os.Rename(half, root)); err != nil {
		return "", err
	}
	return root, nil
})

// bootstrap makes a Debian with systemd. libnss-systemd shows the users of services with
// DynamicUser= to all programs, as on Raspberry Pi OS.
func bootstrap(root, mirror string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	// What a cut of the power spoils here is made anew.
	hurry := filepath.Join(root, "etc/dpkg/dpkg.cfg.d/hurry")
	if err := errors.Join(os.MkdirAll(filepath.Dir(hurry), 0o755), os.WriteFile(hurry, []byte("force-unsafe-io\n"), 0o644)); err != nil {
		return err
	}
	for _, command := range [][]string{
		{"debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,udev,libnss-systemd", debian.Suite, root, mirror},
		{"chroot", root, "apt-get", "clean"},
		{"chroot", root, "apt-get", "check"}, // makes apt's cache of the package lists
		{"rm", hurry},
	} {
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", command[0], err, out[max(0, len(out)-2000):])
		}
	}
	return nil
}

// newRoot is the root folder of a new Debian. What is written there is kept in memory, for
// as long as the test runs.
func newRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		binary.Lacks(t, "these tests need root: they mount file systems and start containers")
	}
	for _, program := range []string{"debootstrap", "systemd-nspawn", "nsenter", "mosquitto"} {
		binary.Need(t, program)
	}
	lower, err := base()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unmount(t, dir) })
	upper, work, root := filepath.Join(dir, "upper"), filepath.Join(dir, "work"), filepath.Join(dir, "root")
	for _, d := range []string{upper, work, root} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work
	if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
		t.Fatalf("mount an overlay (%s): %v", options, err)
	}
	t.Cleanup(func() { unmount(t, root) })
	return root
}

func unmount(t *testing.T, dir string) {
	if err := unix.Unmount(dir, 0); err != nil {
		t.Errorf("unmount %s: %v", dir, err)
	}
}
