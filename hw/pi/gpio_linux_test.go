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

// The names of kernel.org's device trees (bcm2711-rpi-4-b.dts; bcm2837-rpi-3-b.dts begins alike), and of lines that
// are on no header.
var schematic = func() []string {
	names := append([]string(nil), header...)
	for i, name := range map[int]string{
		0: "ID_SDA", 1: "ID_SCL", 2: "SDA1", 3: "SCL1", 4: "GPIO_GCLK",
		7: "SPI_CE1_N", 8: "SPI_CE0_N", 9: "SPI_MISO", 10: "SPI_MOSI", 11: "SPI_SCLK", 14: "TXD1", 15: "RXD1",
		28: "RGMII_MDIO", 42: "STATUS_LED_G_CLK", 44: "", 45: "-", 50: "NC", 51: "NC",
	} {
		names[i] = name
	}
	return names
}()

// avrdude#1299, DietPi#5644: GPIO4 is called GPIO_GCLK there, and others differ too.
func TestHeaderPinsUnderTheSchematicsNames(t *testing.T) {
	for _, label := range headerLabels {
		pi := named("gpiochip0", label, schematic...)
		for n := range 28 {
			for _, want := range []string{fmt.Sprintf("GPIO%d", n), fmt.Sprintf("%s:GPIO%d", label, n)} {
				chip, line, err := findLine([]gpioChip{pi}, want)
				if err != nil || chip.label != label || line.offset != n || line.name != schematic[n] {
					t.Errorf("%s is %s line %d %q (%v), want line %d %q", want, chip.label, line.offset, line.name, err, n, schematic[n])
				}
			}
		}
	}
	pi := named("gpiochip0", "pinctrl-bcm2711", schematic...)
	expander := named("gpiochip1", "pcf8574", "GPIO4", "GPIO0")
	for _, c := range []struct {
		name  string
		chips []gpioChip
		want  string
		label string // of what is found, or …
		at    int
		says  string // … what the error says
	}{
		{"the schematic's name", []gpioChip{pi}, "GPIO_GCLK", "pinctrl-bcm2711", 4, ""},
		{"the header before an expander that has the name", []gpioChip{expander, pi}, "GPIO4", "pinctrl-bcm2711", 4, ""},
		{"the expander by its label", []gpioChip{expander, pi}, "pcf8574:GPIO4", "pcf8574", 0, ""},
		{"a line without a name", []gpioChip{pi}, "GPIO44", "pinctrl-bcm2711", 44, ""},
		{"a line whose name is a dash", []gpioChip{pi}, "GPIO45", "pinctrl-bcm2711", 45, ""},
		{"lines that share a name", []gpioChip{pi}, "GPIO51", "pinctrl-bcm2711", 51, ""},
		{"another chip's label", []gpioChip{expander, pi}, "pcf8574:GPIO5", "", 0, "pcf8574:GPIO4"},
		{"a chip whose offsets mean nothing", []gpioChip{expander}, "GPIO1", "", 0, "pcf8574:GPIO4"},
		{"beyond the chip", []gpioChip{pi}, "GPIO54", "", 0, "this machine has"},
		{"no number", []gpioChip{pi}, "GPIO", "", 0, "this machine has"},
		{"a negative number", []gpioChip{pi}, "GPIO-4", "", 0, "; write GPIO4 for pinctrl-bcm2711:GPIO_GCLK"},
		{"a number that is not written so", []gpioChip{pi}, "GPIO04", "", 0, "this machine has"},
		{"a bare number", []gpioChip{pi}, "4", "", 0, "; write GPIO4 for pinctrl-bcm2711:GPIO_GCLK"},
		{"Broadcom's number", []gpioChip{pi}, "BCM14", "", 0, "; write GPIO14 for pinctrl-bcm2711:TXD1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chip, line, err := findLine(c.chips, c.want)
			if c.says != "" {
				if !errors.Is(err, hw.ErrNotFound) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error %v, want one saying %q", err, c.says)
				}
				return
			}
			if err != nil || chip.label != c.label || line.offset != c.at {
				t.Fatalf("found %s line %d (%v), want %s line %d", chip.label, line.offset, err, c.label, c.at)
			}
			// The name that a pin reports opens the same line again.
			_, again, err := findLine(c.chips, chip.label+":"+line.name)
			if err != nil || again.offset != line.offset {
				t.Errorf("%s:%s opens line %d (%v)", chip.label, line.name, again.offset, err)
			}
		})
	}
}

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
