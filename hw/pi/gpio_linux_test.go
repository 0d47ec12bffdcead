package pi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pithings/hw"
)

// named makes a chip whose lines have the names, in order.
func named(node, label string, names ...string) gpioChip {
	c := gpioChip{node: "/dev/" + node, name: node, label: label}
	for i, n := range names {
		c.lines = append(c.lines, gpioLine{offset: i, name: n})
	}
	return c
}

// header are the names of the Pi's lines.
var header = func() (names []string) {
	for i := range 54 {
		names = append(names, fmt.Sprintf("GPIO%d", i))
	}
	return names
}()

func TestLinesAreFoundByNameAndLabel(t *testing.T) {
	sim := named("gpiochip0", "gpio-sim", "", "SIM17", "GPIO17")
	expander := named("gpiochip1", "pcf8574", "GPIO17", "P:1")
	for _, c := range []struct {
		name  string
		chips []gpioChip
		want  string
		chip  string // label and offset of what is found, or …
		at    int
		says  string // … what the error says
	}{
		{"Pi Zero", []gpioChip{named("gpiochip0", "pinctrl-bcm2835", header...)}, "GPIO17", "pinctrl-bcm2835", 17, ""},
		{"Pi 5, chip 4", []gpioChip{named("gpiochip0", "gpio-brcmstb@107d508500", "-", "GPIO1"), named("gpiochip4", "pinctrl-rp1", header...)},
			"GPIO1", "pinctrl-rp1", 1, ""},
		{"header before others", []gpioChip{sim, expander, named("gpiochip11", "pinctrl-bcm2711", header...)}, "GPIO17", "pinctrl-bcm2711", 17, ""},
		{"label chooses", []gpioChip{sim, expander}, "gpio-sim:GPIO17", "gpio-sim", 2, ""},
		{"name with a colon", []gpioChip{sim, expander}, "P:1", "pcf8574", 1, ""},
		{"label and name with a colon", []gpioChip{sim, expander}, "pcf8574:P:1", "pcf8574", 1, ""},
		{"several", []gpioChip{sim, expander}, "GPIO17", "", 0, "gpio-sim:GPIO17 (gpiochip0), pcf8574:GPIO17 (gpiochip1)"},
		{"a slip", []gpioChip{sim}, "SIM71", "", 0, "gpio-sim:SIM17"},
		{"a line that a Pi has not", []gpioChip{named("gpiochip0", "pinctrl-bcm2835", header...)}, "GPIO99", "", 0, "48 more"},
		{"unnamed lines", []gpioChip{named("gpiochip0", "x", "", "")}, "GPIO17", "", 0, "has a name"},
		{"empty name", []gpioChip{named("gpiochip0", "x", "", "a")}, "", "", 0, "x:a"},
		{"laptop", nil, "GPIO17", "", 0, "no GPIO chip"},
		{"chip number instead of a name", []gpioChip{sim}, "gpiochip0:2", "", 0, "gpio-sim:"},
		{"very long", []gpioChip{sim}, strings.Repeat("G", 4000), "", 0, "GGG…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chip, line, err := findLine(c.chips, c.want)
			if c.says == "" {
				if err != nil || chip.label != c.chip || line.offset != c.at {
					t.Errorf("found %s line %d (%v), want %s line %d", chip.label, line.offset, err, c.chip, c.at)
				}
				return
			}
			if !errors.Is(err, hw.ErrNotFound) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line saying %q", err, c.says)
			}
		})
	}
}

func TestNearestNamesComeFirst(t *testing.T) {
	text := nearLines([]gpioChip{named("gpiochip0", "pinctrl-bcm2835", header...)}, "gpio-17")
	first := strings.TrimPrefix(text, "this machine has ")
	if !strings.HasPrefix(first, "pinctrl-bcm2835:GPIO17,") {
		t.Errorf("%q does not begin with GPIO17", text)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"gpio17", "gpio17", 0}, {"gpio17", "gpio71", 2}, {"gpio1", "gpio17", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestHolderIsNamed(t *testing.T) {
	if got := (gpioLine{used: true, consumer: "gpiomon"}).describe(); !strings.Contains(got, `"gpiomon"`) {
		t.Errorf("%q does not name gpiomon", got)
	}
	if got := (gpioLine{used: true}).describe(); !strings.Contains(got, "the kernel") {
		t.Errorf("%q does not name the kernel", got)
	}
}

// scanGPIO must cope with whatever this machine has.
func TestScanFindsNoChipTwice(t *testing.T) {
	chips, _ := scanGPIO()
	var names []string
	for _, c := range chips {
		names = append(names, c.name)
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(chips) {
		t.Errorf("a chip is listed twice in %v", names)
	}
}
