//go:build packages && linux

package packages

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// container is a Debian whose systemd runs.
type container struct {
	t      *testing.T
	root   string // as this machine sees it
	leader int    // the process id of its systemd
}

// nspawn are the options of all containers: without a machined, and with this machine's network.
var nspawn = []string{"--quiet", "--register=no", "--keep-unit", "--resolv-conf=off"}

// boot boots the Debian in a folder, and shuts it down at the end of the test.
func boot(t *testing.T, root string) *container {
	t.Helper()
	// systemd-nspawn reports here, as a service does (sd_notify(3)).
	address := &net.UnixAddr{Name: filepath.Join(filepath.Dir(root), "notify"), Net: "unixgram"}
	reports, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(address.Name)
	defer reports.Close()
	cmd := exec.Command("systemd-nspawn", slices.Concat(nspawn, []string{"--boot", "--notify-ready=yes", "--console=pipe",
		"--kill-signal=SIGRTMIN+3", "--directory=" + root})...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address.Name)
	inGroup(t, fmt.Sprintf("pithings-test-%d-%s", os.Getpid(), filepath.Base(t.Name())), cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &container{t: t, root: root}
	reports.SetReadDeadline(time.Now().Add(binary.Patience))
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
		reports.SetReadDeadline(time.Now()) // it reports nothing any more
	}()
	t.Cleanup(func() {
		if t.Failed() && c.leader != 0 {
			text, _ := c.try("journalctl", "--no-pager", "--unit=pithings")
			t.Logf("the service said:\n%s", text)
		}
		cmd.Process.Signal(os.Interrupt) // powers it off
		select {
		case <-ended:
		case <-time.After(binary.Patience):
			t.Error("the container did not shut down")
			cmd.Process.Kill()
			<-ended
		}
	})
	message := make([]byte, 4096)
	for ready := false; !ready; {
		n, err := reports.Read(message)
		if err != nil {
			cmd.Process.Kill()
			<-ended
			t.Fatalf("the container did not boot: %v\n%s", err, out.Bytes())
		}
		for line := range strings.Lines(string(message[:n])) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch name {
			case "X_NSPAWN_LEADER_PID":
				c.leader, _ = strconv.Atoi(value)
			case "READY":
				ready = true
			}
		}
	}
	if c.leader == 0 {
		t.Fatal("systemd-nspawn did not report the container's first process")
	}
	return c
}

// try runs a command in the container as root and returns all that it prints.
func (c *container) try(args ...string) (string, error) {
	enter := []string{"--target=" + strconv.Itoa(c.leader), "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd"}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.Env = rootShell
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// rootShell is the environment of a shell of root's.
var rootShell = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}

// run is try of a command that has to succeed.
func (c *container) run(args ...string) string {
	c.t.Helper()
	text, err := c.try(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// apt runs apt-get. A package is named by its file on this machine.
func (c *container) apt(args ...string) string {
	c.t.Helper()
	c.t.Logf("apt-get %s", strings.Join(args, " "))
	return c.run(append([]string{"apt-get", "--quiet", "--yes"}, bring(c.t, c.root, args)...)...)
}

// bring copies the packages among the arguments into a Debian, and returns the arguments
// with their places there.
func bring(t *testing.T, root string, args []string) []string {
	t.Helper()
	var inside []string
	for _, a := range args {
		if strings.HasSuffix(a, ".deb") {
			place := "/var/cache/apt/" + filepath.Base(a)
			text, err := os.ReadFile(a)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(root+place, text, 0o644); err != nil {
				t.Fatal(err)
			}
			a = place
		}
		inside = append(inside, a)
	}
	return inside
}

// inImage runs a command as root in a Debian that is not running, as tools do that make
// images for cards.
func inImage(t *testing.T, root string, args ...string) string {
	t.Helper()
	cmd := exec.Command("systemd-nspawn", slices.Concat(nspawn, []string{"--pipe", "--directory=" + root}, bring(t, root, args))...)
	cmd.Env = rootShell
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s in an image: %v\n%s%s", strings.Join(args, " "), err, out, complaints.String())
	}
	return string(out)
}

// property is one of the service's (systemctl show).
func (c *container) property(name string) string {
	c.t.Helper()
	return strings.TrimSpace(c.run("systemctl", "show", "--value", "--property="+name, "pithings.service"))
}

// wants compares properties of the service.
func (c *container) wants(properties map[string]string) {
	c.t.Helper()
	for name, want := range properties {
		if got := c.property(name); got != want {
			c.t.Errorf("the service has %s=%s, want %s", name, got, want)
		}
	}
}

// write writes a file in the container.
func (c *container) write(place, text string) {
	c.t.Helper()
	if err := os.MkdirAll(filepath.Dir(c.root+place), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(c.root+place, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// read reads a file in the container.
func (c *container) read(place string) string {
	c.t.Helper()
	f, err := os.Open(c.root + place)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// has is whether there is a file, or a broken symbolic link, in the container.
func (c *container) has(place string) bool {
	c.t.Helper()
	_, err := os.Lstat(c.root + place)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Fatal(err)
	}
	return err == nil
}

// owner is the mode, owner and group of a file, such as "drwx------ pithings pithings".
func (c *container) owner(place string) string {
	c.t.Helper()
	return strings.TrimSpace(c.run("stat", "--format=%A %U %G", place))
}
