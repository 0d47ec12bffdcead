package system

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// tracing is where the kernel's events are (Documentation/trace/events.rst).
const tracing = "/sys/kernel/tracing"

// driven is what programs drive a line of the gpio-sim chip to, as the kernel records it.
// The line itself shows less: when its program ends, a gpio-sim line has the level of its
// pull again.
type driven struct{ line, number string }

// recordLines has the kernel record the levels that lines are driven to, until the test ends.
func recordLines(t *testing.T) {
	t.Helper()
	if err := unix.Mount("tracefs", tracing, "tracefs", 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		t.Fatalf("mount %s: %v", tracing, err)
	}
	enable := tracing + "/events/gpio/gpio_value/enable"
	if err := os.WriteFile(enable, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(enable, []byte("0"), 0); err != nil {
			t.Error(err)
		}
	})
}

// recorded returns one line of the record. The record has the kernel's own number of it.
func recorded(t *testing.T, line string) driven {
	t.Helper()
	labels, _ := filepath.Glob("/sys/class/gpio/gpiochip*/label")
	for _, l := range labels {
		if read(t, l) != filepath.Base(sim) {
			continue
		}
		var base, offset int
		if _, err := fmt.Sscan(read(t, filepath.Join(filepath.Dir(l), "base")), &base); err != nil {
			t.Fatal(err)
		}
		pull, err := guest.SimPull(sim, line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(filepath.Base(filepath.Dir(pull)), "sim_gpio%d", &offset); err != nil {
			t.Fatal(err)
		}
		return driven{line, fmt.Sprint(base + offset)}
	}
	t.Fatalf("no chip %s in /sys/class/gpio", filepath.Base(sim))
	return driven{}
}

// to returns the levels that the line was driven to so far, in their order: "0110".
func (d driven) to(t *testing.T) (levels string) {
	t.Helper()
	for line := range strings.Lines(read(t, tracing+"/trace")) {
		// pithings-88 [000] d..1. 12.345678: gpio_value: 507 set 1
		_, event, _ := strings.Cut(line, ": gpio_value: "+d.number+" set ")
		levels += strings.TrimSpace(event)
	}
	return levels
}

// since returns the levels that the line was driven to after those of before.
func (d driven) since(t *testing.T, before string) string {
	t.Helper()
	all := d.to(t)
	after, ok := strings.CutPrefix(all, before)
	if !ok {
		t.Fatalf("the record of %s is %s, and began with %s before", d.line, all, before)
	}
	return after
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
