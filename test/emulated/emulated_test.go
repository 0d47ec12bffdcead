//go:build emulated

package emulated

import (
	"context"
	"flag"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/test/binary"
	"pithings/test/emulated/debian"
	"pithings/test/emulated/guest"
	"pithings/test/emulated/guest/control"
	"pithings/test/emulated/qemu"
	"pithings/test/mosquitto"
)

var only = flag.String("only", "", "in the guests run only the tests of the whole program that match this `pattern`")

// limit is how long one boot may take. They need a third of it on an idle
// computer.
const limit = 16 * time.Minute

func TestRaspi0(t *testing.T) {
	t.Parallel() // each machine has one processor
	b := newBench(t, raspi0)
	run(t, b, boot{name: "640x480", programs: conformance(raspi0, "PITHINGS_TEST_STUCK=1m")})
}

func TestVirt(t *testing.T) {
	t.Parallel()
	b := virtual(t)
	t.Run("800x480", func(t *testing.T) {
		m := mosquitto.Start(t)
		disk := newDisk(t, b)
		run(t, b, boot{name: "800x480", screen: image.Pt(800, 480), disk: disk.file, programs: conformance(virt, fmt.Sprintf("PITHINGS_TEST_BROKER=%s:%d", guest.HostAddress, m.Port))})
		disk.check()
		if *only == "" {
			m.Wait("the motion of the guest", func(messages []mosquitto.Message) bool {
				return slices.Contains(messages, mosquitto.Message{Topic: "TG_MS/motion", Payload: `{"isMotionDetected": true}`})
			})
		}
	})
}

// What follows is apart from TestVirt, so that each runs as soon as a processor is free.

func TestVirtLarge(t *testing.T) {
	t.Parallel()
	b := virtual(t)
	t.Run("1280x800", func(t *testing.T) {
		programs := append(helpers(),
			guest.Program{Name: "hw/pi", Args: []string{"/bin/pi.test", "-test.v", "-test.timeout=3m", "-test.run=TestKernel/Framebuffer"},
				Env: []string{"PITHINGS_TEST_SCREEN=/dev/fb0", "PITHINGS_TEST_HOST=" + control.Host}},
			whole("TestSecurityFlowOnDeviceNodes/tty1"))
		run(t, b, boot{name: "1280x800", screen: image.Pt(1280, 800), programs: programs})
	})
}

func TestVirtPackage(t *testing.T) {
	t.Parallel()
	testPackage(t, virtual(t))
}

func TestPowerCuts(t *testing.T) {
	t.Parallel()
	b := virtual(t)
	t.Run("pictures", func(t *testing.T) { testPowerCut(t, b) })
	t.Run("sync always", func(t *testing.T) { testAlways(t, b) })
	t.Run("sync interval", func(t *testing.T) { testInterval(t, b) })
}

var theVirtual struct {
	sync.Mutex
	*bench
}

// virtual is the bench of the machine that has network and disk, made once.
func virtual(t *testing.T) *bench {
	t.Helper()
	theVirtual.Lock()
	defer theVirtual.Unlock()
	if theVirtual.bench == nil {
		theVirtual.bench = newBench(t, virt)
	}
	return theVirtual.bench
}

// newBench fetches and builds what a machine needs.
func newBench(t *testing.T, m machine) *bench {
	t.Helper()
	need(t, "qemu-system-arm", "fdtput", "dpkg-deb", "apt-get", "make", "xz", "gcc-12", "arm-linux-gnueabihf-gcc-12",
		"/sbin/depmod", "/sbin/mkfs.ext4", "/sbin/e2fsck", "/sbin/debugfs", "/usr/sbin/mosquitto")
	b, err := setUp(t.Context(), m, shared, project())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shared is the cache of both machines: they fetch one after the other.
var shared = &debian.Cache{Dir: filepath.Join(project(), ".cache", "emulated"), Log: func(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}}

// project is the project's folder.
func project() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err) // only when the working directory is gone
	}
	return dir
}

// need skips when programs are missing, and says which; in CI it fails.
func need(t *testing.T, programs ...string) {
	t.Helper()
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, filepath.Base(p))
		}
	}
	if len(missing) > 0 {
		binary.Lacks(t, "this computer has no "+strings.Join(missing, ", ")+"; test/need installs what is missing")
	}
}

// helpers are the programs that play the parts.
func helpers() []guest.Program {
	return []guest.Program{
		{Name: "bridge", Args: []string{"/bin/bridge"}, Helper: true, Ready: "/sys/bus/hid/drivers/cp2112/*/i2c-*"},
		{Name: "feeder", Args: []string{"/bin/feeder", "-ready", "/run/fed", "/dev/video10"}, Helper: true, Ready: "/run/fed"},
	}
}

// whole runs tests of the whole program.
func whole(pattern string, env ...string) guest.Program {
	return guest.Program{Name: "pithings", Args: []string{"/bin/system.test", "-test.v", "-test.timeout=12m", "-test.run=" + pattern}, Env: env}
}

// onOne are tests of the whole program to which one machine is like another: raspi0 runs them.
const onOne = "^(TestStateOfADynamicUserIsTakenOver|TestRawFormats|TestDiscover)$"

// conformance runs package hwtest against the machine's device nodes, then the
// tests of the whole program, with env.
func conformance(m machine, env ...string) []guest.Program {
	all := whole(*only, env...)
	if *only != "" {
		return append(helpers(), all)
	}
	if m.name != raspi0.name {
		all.Args = append(all.Args, "-test.skip="+onOne)
	}
	programs := append(helpers(), all)
	test := func(name string, env ...string) guest.Program {
		return guest.Program{Name: name, Args: []string{"/bin/pi.test", "-test.v", "-test.timeout=3m"}, Env: env}
	}
	programs = append(programs, test("hw/pi",
		"PITHINGS_TEST_SIM=/sys/kernel/config/gpio-sim/gpio-sim-pi",
		"PITHINGS_TEST_PIN=gpio-sim-pi:SIM17", "PITHINGS_TEST_OUTPUT=gpio-sim-pi:SIM27",
		"PITHINGS_TEST_BUS=CP2112 SMBus Bridge", "PITHINGS_TEST_BRIDGE="+control.Bridge,
		"PITHINGS_TEST_VIDEO=/dev/video0,/dev/video10", "PITHINGS_TEST_REFUSED=/dev/video1",
		"PITHINGS_TEST_SCREEN=/dev/fb0", "PITHINGS_TEST_HOST="+control.Host,
	))
	if m.name == raspi0.name {
		programs = append(programs, test("the Pi's own pins and bus",
			"PITHINGS_TEST_PIN=GPIO17", "PITHINGS_TEST_OUTPUT=GPIO27", "PITHINGS_TEST_BUS=1", "PITHINGS_TEST_STATIC=1"))
	}
	return programs
}

// run boots a machine and makes a test of each program that it runs.
func run(t *testing.T, b *bench, w boot) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	begun := time.Now()
	g, err := b.start(ctx, w)
	if err != nil {
		t.Fatal(err)
	}
	follow(t, g)
	g.End()
	t.Logf("the guest ran for %.1f s; its console is in %s", time.Since(begun).Seconds(), filepath.Join(b.dir, w.name, "console.log"))
	if ctx.Err() != nil {
		t.Errorf("the guest did not end within %v", limit)
	}
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
				t.Errorf("ended with code %s:\n%s", e.Text[i+1:], strings.Join(failures(said), "\n"))
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

var (
	testBegins = regexp.MustCompile(`^=== RUN +([^/\s]+)$`)
	testFailed = regexp.MustCompile(`^--- FAIL: (\S+)`)

	subtestPassed = regexp.MustCompile(`^ +--- (PASS|SKIP): `)
)

// failures is the part of the output of tests (-test.v) that a reader needs who wants to know why
// they failed: that of the failed ones, and what stands outside of any. The console has it all.
func failures(said []string) (part []string) {
	begun := -1 // where the present test begins
	for i, line := range said {
		m := testBegins.FindStringSubmatch(line)
		switch {
		case m != nil:
			begun = i
		case begun < 0:
			if !subtestPassed.MatchString(line) {
				part = append(part, line)
			}
		case testFailed.MatchString(line):
			part = append(part, said[begun:i+1]...)
			begun = -1
		case strings.HasPrefix(line, "--- "):
			begun = -1
		}
	}
	if begun >= 0 { // it ended the program
		part = append(part, said[begun:]...)
	}
	return part
}

// What failed in a guest is shown without what passed.
func TestFailures(t *testing.T) {
	const said = `feeder is ready
=== RUN   TestOne
    one_test.go:5: fine
--- PASS: TestOne (0.00s)
    --- PASS: TestOne/a (0.00s)
=== RUN   TestTwo
=== RUN   TestTwo/b
    two_test.go:7: broken
--- FAIL: TestTwo (1.00s)
    --- FAIL: TestTwo/b (1.00s)
=== RUN   TestThree
panic: it ends`
	const want = `feeder is ready
=== RUN   TestTwo
=== RUN   TestTwo/b
    two_test.go:7: broken
--- FAIL: TestTwo (1.00s)
    --- FAIL: TestTwo/b (1.00s)
=== RUN   TestThree
panic: it ends`
	if got := strings.Join(failures(strings.Split(said, "\n")), "\n"); got != want {
		t.Errorf("%s", got)
	}
}
