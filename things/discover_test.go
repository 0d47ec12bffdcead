package things

import (
	"fmt"
	"testing"

	"pithings/hw"
	"pithings/hw/mock"
	"pithings/hw/probe"
)

// TestDiscover: on a board with one part of each kind every kind finds its own.
func TestDiscover(t *testing.T) {
	board := mock.New(mock.Options{})
	defer board.Close()
	c := probe.New(board, nil).Connected(t.Context())
	got := map[string]string{}
	for _, k := range Kinds() {
		if k.Discover == nil {
			t.Errorf("%s cannot be discovered", k.Name)
			continue
		}
		for _, one := range k.Discover(c) {
			if one.Settings == nil || one.Problem != "" || fmt.Sprintf("%T", one.Settings) != fmt.Sprintf("%T", k.New()) {
				t.Errorf("%s: %+v", k.Name, one)
				continue
			}
			key, part := one.Settings.Part()
			got[k.Name] = fmt.Sprintf("%s %s %s=%s", one.Part, one.Name, key, part)
			if one.Drives != (k.Name == "output") {
				t.Errorf("%s drives its part: %v", k.Name, one.Drives)
			}
		}
	}
	for kind, want := range map[string]string{
		"motion":      "GPIO17 motion pin=GPIO17",
		"input":       "GPIO22 door pin=GPIO22",
		"output":      "GPIO27 relay pin=GPIO27",
		"environment": "i2c-1 0x76 bme680 bus=1",
		"camera":      "/dev/video0 camera device=/dev/video0",
		"screen":      "/dev/fb0 screen device=/dev/fb0",
		"kernel":      "cpu-thermal cpu-thermal device=cpu-thermal", // the last one
		"host":        "computer pi =",
	} {
		if got[kind] != want {
			t.Errorf("%s: %q, want %q", kind, got[kind], want)
		}
	}
}

// TestNothingToDiscover: parts that cannot be used are not offered.
func TestNothingToDiscover(t *testing.T) {
	c := &probe.Connected{Parts: hw.Parts{
		GPIO:         []hw.GPIOChip{{Lines: []hw.GPIOLine{{Name: "GPIO17", Open: "GPIO17", Pin: 11, Used: true}}}},
		Video:        []hw.VideoPart{{Node: "/dev/video0", Open: "/dev/video0", Err: hw.ErrBusy}},
		Framebuffers: []hw.FramebufferPart{{Node: "/dev/fb0", Err: hw.ErrUnsupported}},
	}, Chips: []probe.Chip{{Bus: "1", I2CDevice: hw.I2CDevice{Address: 0x76, Driver: "bmp280"}}, {Bus: "1", I2CDevice: hw.I2CDevice{Address: 0x23}}}}
	for _, k := range Kinds() {
		if found := k.Discover(c); len(found) > 0 {
			t.Errorf("%s: %+v", k.Name, found)
		}
	}
}

func TestSensorName(t *testing.T) {
	for sensor, want := range map[string]string{
		"dht11": "dht11", "lm75@1-0048": "lm75", "28-0316a2794f5b": "28-0316a2794f5b", "a b/c+": "a-b-c-", "@x": "sensor", "é": "sensor", "-x": "x", "": "sensor",
	} {
		if got := sensorName(sensor); got != want {
			t.Errorf("%q: %q, want %q", sensor, got, want)
		}
	}
}
