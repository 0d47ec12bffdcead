package pi

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/hw"
)

// adaptersIn makes a /sys with the adapters, and a link to a device node.
func adaptersIn(t *testing.T, names map[string]string) (sys string) {
	t.Helper()
	sys = t.TempDir()
	for number, name := range names {
		dir := adapterDir(sys, number)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "name"), []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return sys
}

func TestBusesAreFoundByNumberNodeAndName(t *testing.T) {
	pi := adaptersIn(t, map[string]string{"1": "bcm2835 (i2c@20804000)", "2": "bcm2835 (i2c@20805000)", "20": "CP2112 SMBus Bridge", "21": "CP2112 SMBus Bridge",
		"30": "FT232H at bus 001 device 004"})
	link := filepath.Join(t.TempDir(), "bme-bus")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, sys, bus string
		want           int
		says           string
	}{
		{"number", pi, "1", 1, ""},
		{"number that is not there", pi, "7", 7, ""}, // opening it says so
		{"kernel's own name", pi, "i2c-2", 2, ""},
		{"device node", pi, "/dev/i2c-20", 20, ""},
		{"adapter name", pi, "bcm2835 (i2c@20804000)", 1, ""},
		{"first words of the name", pi, "FT232H", 30, ""},
		{"a part of a word", pi, "FT232", 0, "this machine has"},
		{"two of one name", pi, "CP2112 SMBus Bridge", 0, "[20 21]"},
		{"unknown name", pi, "bcm2711", 0, "1 (bcm2835 (i2c@20804000)), 2"},
		{"link to another device", pi, link, 0, "/dev/i2c-N"},
		{"another device", pi, "/dev/ttyS0", 0, "/dev/i2c-N"},
		{"regular file", pi, filepath.Join(pi, "class/i2c-dev/i2c-1/name"), 0, "/dev/i2c-N"},
		{"empty", pi, "", 0, "this machine has"},
		{"negative", pi, "-1", 0, "this machine has"},
		{"huge", pi, "99999999999999999999", 0, "this machine has"},
		{"none switched on", t.TempDir(), "BME", 0, "raspi-config"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := findBus(c.sys, c.bus)
			if c.says == "" {
				if err != nil || n != c.want {
					t.Errorf("found %d (%v), want %d", n, err, c.want)
				}
				return
			}
			if !errors.Is(err, hw.ErrNotFound) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line saying %q", err, c.says)
			}
		})
	}
}

func TestAnAbsentBusSaysHowToSwitchItOn(t *testing.T) {
	var b Board
	_, err := b.OpenBus("/dev/i2c-999999")
	if !errors.Is(err, hw.ErrNotFound) || !strings.Contains(err.Error(), "dtparam=i2c_arm=on") {
		t.Errorf("error %v", err)
	}
}

func FuzzBusNames(f *testing.F) {
	for _, s := range []string{"1", "/dev/i2c-1", "i2c-", "/", "", "bcm2835 (i2c@20804000)"} {
		f.Add(s)
	}
	sys := f.TempDir()
	f.Fuzz(func(t *testing.T, name string) {
		if n, err := findBus(sys, name); err == nil && (n < 0 || n > 1<<20) {
			t.Errorf("%q became adapter %d", name, n)
		} else if err != nil && len(err.Error()) > 2000 {
			t.Errorf("an error of %d characters", len(err.Error()))
		}
	})
}
