//go:build faults && linux

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/test/binary"
	"pithings/test/faults/netns"
)

// TestLocalNames: the built binary finds a broker at NAME.local with the real avahi daemon
// of Debian, at its socket and, where that cannot be reached, by a query of its own over
// multicast (GoSungrow#83, go2rtc#857). It needs root.
func TestLocalNames(t *testing.T) {
	if os.Geteuid() != 0 {
		binary.Lacks(t, "network namespaces need root")
	}
	t.Parallel()
	avahi, ip, unshare, nsenter := binary.Need(t, "avahi-daemon"), binary.Need(t, "ip"), binary.Need(t, "unshare"), binary.Need(t, "nsenter")
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	for _, args := range []string{"link add lan type veth peer name lan2", "addr add 10.99.7.1/24 dev lan", "link set lan up", "link set lan2 up"} {
		if out, err := command(ns, ip, strings.Fields(args)...); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	const port = 18830
	broker := newMosquitto(t, ns.Start, fmt.Sprint("listener ", port, " 10.99.7.1"))
	broker.up(t)

	config := filepath.Join(t.TempDir(), "avahi.conf")
	text := "[server]\nhost-name=faultsbroker\nenable-dbus=no\nallow-interfaces=lan\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The daemon's folder is its own in a mount namespace: another may run on this machine.
	hidden := "mkdir -p /run/avahi-daemon && mount -t tmpfs none /run/avahi-daemon && exec \"$@\""
	ready := make(chan struct{})
	var once sync.Once
	daemon := run(t, ns.Start, func(line string) {
		if strings.Contains(line, "Server startup complete") {
			once.Do(func() { close(ready) })
		}
	}, unshare, "-m", "sh", "-c", hidden+" 2>&1", "sh", avahi, "-f", config, "--no-drop-root", "--no-chroot", "--no-proc-title")
	select {
	case <-ready:
	case <-daemon.ended:
		t.Fatalf("avahi has ended: %s", daemon.complained())
	case <-time.After(binary.Patience):
		t.Fatal("avahi does not start")
	}

	endpoint := fmt.Sprintf("mqtt://faultsbroker.local:%d", port)
	for name, enter := range map[string][]string{
		"avahi":     {nsenter, "--mount=/proc/" + fmt.Sprint(daemon.cmd.Process.Pid) + "/ns/mnt"},
		"own query": {unshare, "-m", "sh", "-c", hidden, "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(enter[1:], binary.Path, "pub", "-v", "-e", endpoint, "-i", strings.ReplaceAll(name, " ", "-"), "-t", "a", "-m", "hello", "--state", t.TempDir())
			p := run(t, ns.Start, func(string) {}, enter[0], args...)
			if code := p.wait(t); code != 0 || strings.Contains(p.complained(), "not delivered") {
				t.Errorf("exit %d: %s", code, p.complained())
			}
			if n := broker.accepted(strings.ReplaceAll(name, " ", "-")); n != 1 {
				t.Errorf("the broker saw %d connections: %s", n, p.complained())
			}
		})
	}
}

// command runs a program in a namespace, and returns what it says.
func command(ns *netns.Namespace, path string, args ...string) (out []byte, err error) {
	c := exec.Command(path, args...)
	err = ns.Do(func() (err error) { out, err = c.CombinedOutput(); return err })
	return out, err
}
