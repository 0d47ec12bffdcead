package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Sim is the folder in configfs of the plan's gpio-sim chip.
func (g GPIO) Sim() string { return "/sys/kernel/config/gpio-sim/" + g.Label }

// SimPull is the file that drives a line of the gpio-sim chip whose folder in
// configfs is sim, by writing "pull-up" or "pull-down" to it. It is another one
// each time that the chip goes live.
func SimPull(sim, line string) (string, error) { return simFile(sim, line, "pull") }

// simFile is an attribute of a line of a gpio-sim chip.
func simFile(sim, line, attribute string) (string, error) {
	read := func(file string) string {
		text, _ := os.ReadFile(filepath.Join(sim, file))
		return strings.TrimSpace(string(text))
	}
	names, _ := filepath.Glob(filepath.Join(sim, "bank0/line*/name"))
	for _, name := range names {
		folder := filepath.Base(filepath.Dir(name))
		if read("bank0/"+folder+"/name") == line {
			return filepath.Join("/sys/devices/platform", read("dev_name"), read("bank0/chip_name"),
				"sim_gpio"+strings.TrimPrefix(folder, "line"), attribute), nil
		}
	}
	return "", fmt.Errorf("%s: no line %s", sim, line)
}

// SetLine drives a line of a gpio-sim chip.
func SetLine(sim, line string, high bool) error {
	file, err := SimPull(sim, line)
	if err != nil {
		return err
	}
	text := "pull-down"
	if high {
		text = "pull-up"
	}
	return os.WriteFile(file, []byte(text), 0)
}

// Level looks at a line of a gpio-sim chip, whoever drives it.
func Level(sim, line string) (high bool, err error) {
	file, err := simFile(sim, line, "value")
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)) == "1", err
}
