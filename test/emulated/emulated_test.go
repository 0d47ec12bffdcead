//go:build emulated

package emulated

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/test/emulated/debian"
	"pithings/test/emulated/guest"
	"pithings/test/emulated/guest/control"
	"pithings/test/emulated/qemu"
)

var only = flag.String("only", "", "in the guests run only the tests of the whole program that match this `pattern`")

// limit is how long one machine may run. They need a tenth of it on an idle
// computer.
const limit = 8 * time.Minute

func TestRaspi0(t *testing.T) { testMachine(t, raspi0) }

func TestVirt(t *testing.T) { testMachine(t, virt) }

func testMachine(t *testing.T, m machine) {
	need(t, "qemu-system-arm", "fdtput", "dpkg-deb", "apt-get", "make", "gcc-12", "arm-linux-gnueabihf-gcc-12")
	cache, err := filepath.Abs("../../.cache/emulated")
	if err != nil {
		t.Fatal(err)
	}
	c := &debian.Cache{Dir: cache, Log: t.Logf}
	k, err := c.Kernel(t.Context(), m.flavour)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "run", m.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := build(t.Context(), m, k, dir, append(helpers(), conformance(m)...)); err != nil {
		t.Fatal(err)
	}
	config, err := m.boot(t.Context(), m, c, k, dir)
	if err != nil {
		t.Fatal(err)
	}
	config.Dir = dir
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	begun := time.Now()
	g, err := qemu.Boot(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	follow(t, g)
	g.End()
	t.Logf("the guest ran for %.1f s; its console is in %s", time.Since(begun).Seconds(), filepath.Join(dir, "console.log"))
	if ctx.Err() != nil {
		t.Errorf("the guest did not end within %v", limit)
	}
}

// need skips when programs are missing, and says which.
func need(t *testing.T, programs ...string) {
	t.Helper()
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		t.Skipf("skipped: this computer has no %s (apt-get install qemu-system-arm device-tree-compiler kmod make gcc-12 gcc-arm-linux-gnueabihf)",
			strings.Join(missing, ", "))
	}
}

// helpers are the programs that play the parts.
func helpers() []guest.Program {
	return []guest.Program{
		{Name: "bridge", Args: []string{"/bin/bridge"}, Helper: true, Ready: "/sys/bus/hid/drivers/cp2112/*/i2c-*"},
		{Name: "feeder", Args: []string{"/bin/feeder", "-ready", "/run/fed", "/dev/video10"}, Helper: true, Ready: "/run/fed"},
	}
}

// conformance runs package hwtest against the machine's device nodes, then the
// tests of the whole program.
func conformance(m machine) []guest.Program {
	whole := guest.Program{Name: "pithings", Args: []string{"/bin/system.test", "-test.v", "-test.timeout=8m", "-test.run=" + *only}}
	if *only != "" {
		return []guest.Program{whole}
	}
	test := func(name string, env ...string) guest.Program {
		return guest.Program{Name: name, Args: []string{"/bin/pi.test", "-test.v", "-test.timeout=3m"}, Env: env}
	}
	programs := []guest.Program{test("hw/pi",
		"PITHINGS_TEST_SIM=/sys/kernel/config/gpio-sim/gpio-sim-pi",
		"PITHINGS_TEST_PIN=gpio-sim-pi:SIM17",
		"PITHINGS_TEST_BUS=CP2112 SMBus Bridge", "PITHINGS_TEST_BRIDGE="+control.Bridge,
		"PITHINGS_TEST_VIDEO=/dev/video0,/dev/video10", "PITHINGS_TEST_REFUSED=/dev/video1",
		"PITHINGS_TEST_SCREEN=/dev/fb0", "PITHINGS_TEST_HOST="+control.Host,
	)}
	programs = append(programs, whole)
	if m.name == raspi0.name {
		programs = append(programs, test("the Pi's own pins and bus",
			"PITHINGS_TEST_PIN=GPIO17", "PITHINGS_TEST_BUS=1", "PITHINGS_TEST_STATIC=1"))
	}
	return programs
}

// follow makes a test of each program that the guest runs, until all have
// ended.
func follow(t *testing.T, g *qemu.Guest) {
	var kernel []string // its last lines
	for e := range g.Events {
		switch e.Kind {
		case guest.MarkBegin:
			t.Run(e.Text, func(t *testing.T) { followProgram(t, g) })
		case guest.MarkDone:
			return
		case guest.MarkInit:
			if strings.HasPrefix(e.Text, "failed") {
				t.Errorf("init %s", e.Text)
			} else {
				t.Logf("init: %s", e.Text)
			}
		default:
			kernel = append(kernel, e.Text)
			kernel = kernel[max(0, len(kernel)-40):]
		}
	}
	t.Errorf("the machine ended too early; its last lines:\n%s", strings.Join(kernel, "\n"))
}

func followProgram(t *testing.T, g *qemu.Guest) {
	var said []string
	for e := range g.Events {
		switch e.Kind {
		case guest.MarkEnd:
			i := strings.LastIndexByte(e.Text, ' ')
			if code, err := strconv.Atoi(e.Text[i+1:]); err != nil || code != 0 {
				t.Errorf("ended with code %s:\n%s", e.Text[i+1:], strings.Join(said, "\n"))
			} else {
				t.Logf("\n%s", strings.Join(said, "\n"))
			}
			return
		default:
			said = append(said, e.Text)
		}
	}
	t.Errorf("the machine ended meanwhile; its last lines:\n%s", strings.Join(said[max(0, len(said)-60):], "\n"))
}
