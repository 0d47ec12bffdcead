package system

import (
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pithings/hw"
	"pithings/hw/pi"
	"pithings/sensors/host"
	"pithings/sensors/kernel"
	"pithings/test/emulated/guest/control"
)

// chip makes the kernel's driver of that name take the chip at an address of the
// bridge's bus, as a dtoverlay does on a Pi, until the test ends.
func chip(t *testing.T, driver, address string) (remove func()) {
	t.Helper()
	found, _ := filepath.Glob("/sys/bus/hid/drivers/cp2112/*/i2c-*")
	if len(found) == 0 {
		t.Fatal("the bridge has no bus")
	}
	dir := "/sys/bus/i2c/devices/" + filepath.Base(found[0])
	if err := os.WriteFile(dir+"/new_device", []byte(driver+" "+address), 0); err != nil {
		t.Fatal(err)
	}
	there := true
	remove = func() {
		if there {
			there = false
			if err := os.WriteFile(dir+"/delete_device", []byte(address), 0); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(remove)
	return remove
}

// chips switches the bridge's other chips on until the test ends.
func chips(t *testing.T) {
	t.Helper()
	ask(t, control.Bridge, control.Request{Do: "chips", On: true})
	t.Cleanup(func() { ask(t, control.Bridge, control.Request{Do: "chips"}) })
	for name, raw := range map[string]int{"light": 1204, "temperature": 0x6334, "humidity": 0x6C00, "thermometer": 199} {
		ask(t, control.Bridge, control.Request{Do: "set", Text: name, N: raw})
	}
}

func measures(t *testing.T, d *kernel.Device, want map[string]float64) {
	t.Helper()
	values, err := d.Read(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	for i, q := range d.Channels() {
		t.Logf("%v: %s %v %s", d, q.Name, values[i], q.Unit)
		if w, ok := want[q.Name]; !ok || math.Abs(values[i]-w) > math.Pow10(-q.Precision) {
			t.Errorf("%v: %s is %v, want %v", d, q.Name, values[i], w)
		}
	}
	if len(values) != len(want) {
		t.Errorf("%v: %d values, want %v", d, len(values), want)
	}
}

// Sensors that the kernel's own drivers measure: hwmon, industrial I/O, and a
// thermometer on a 1-wire bus.
func TestKernelSensors(t *testing.T) {
	board, err := pi.Open(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(board.Close)
	root, err := board.Sysfs("")
	if err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T, name string) *kernel.Device {
		t.Helper()
		d, err := kernel.Open(root, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	chips(t)

	t.Run("SHT21 of hwmon", func(t *testing.T) {
		remove := chip(t, "sht21", "0x40")
		d := open(t, "sht21")
		// By the datasheet's formulas (§6) for the numbers above.
		climate := map[string]float64{"temperature": -46.85 + 175.72*0x6334/65536, "humidity": -6 + 125.0*0x6C00/65536}
		measures(t, d, climate)

		removeOther := chip(t, "sht21", "0x41")
		_, err := kernel.Open(root, "sht21", nil)
		if !errors.Is(err, kernel.ErrAmbiguous) {
			t.Errorf("with a second one: %v", err)
		}
		t.Log(err)
		name := "sht21@" + d.Sensor().Address
		before := d.Sensor().Path
		remove()
		if _, err := d.Read(t.Context()); !errors.Is(err, hw.ErrGone) {
			t.Errorf("unplugged: %v, want %v", err, hw.ErrGone)
		}
		if _, err := kernel.Open(root, name, nil); !errors.Is(err, hw.ErrNotFound) {
			t.Errorf("unplugged: %v, want %v", err, hw.ErrNotFound)
		}
		// The other one takes its number.
		removeOther()
		chip(t, "sht21", "0x41")
		if other := open(t, "sht21").Sensor(); other.Path != before {
			t.Errorf("the other one is %s, want %s", other.Path, before)
		}
		if values, err := d.Read(t.Context()); !errors.Is(err, hw.ErrGone) {
			t.Errorf("the other one's values were read: %v, %v", values, err)
		}
		chip(t, "sht21", "0x40")
		d = open(t, name)
		if d.Sensor().Path == before {
			t.Errorf("it returned as %s", before)
		}
		measures(t, d, climate)
	})

	t.Run("BH1750 of industrial I/O", func(t *testing.T) {
		chip(t, "bh1750", "0x23")
		d := open(t, "bh1750")
		light := map[string]float64{"illuminance": 1204 * 57.5 / 69}
		measures(t, d, light)
		ask(t, control.Bridge, control.Request{Do: "chips"})
		values, err := d.Read(t.Context())
		if err == nil || values != nil || errors.Is(err, hw.ErrGone) {
			t.Errorf("a chip that does not answer: %v, %v", values, err)
		}
		t.Log(err)
		ask(t, control.Bridge, control.Request{Do: "chips", On: true})
		measures(t, d, light)
	})

	t.Run("DS18B20 on a 1-wire bus", func(t *testing.T) {
		chip(t, "ds2482", "0x18")
		const id = "28-0316a2794f5b"
		eventually(t, "the bus is searched", func() bool {
			_, err := kernel.Find(root, id)
			return err == nil
		})
		measures(t, open(t, id), map[string]float64{"temperature": 199.0 / 16})
		ask(t, control.Bridge, control.Request{Do: "set", Text: "thermometer", N: -88})
		measures(t, open(t, "ds18b20"), map[string]float64{"temperature": -5.5})
		// What the chip reads before it has measured.
		ask(t, control.Bridge, control.Request{Do: "set", Text: "thermometer", N: 85 * 16})
		if values, err := open(t, id).Read(t.Context()); !errors.Is(err, kernel.ErrPowerOn) {
			t.Errorf("85 °C: %v, %v", values, err)
		}
	})

	t.Run("what there is", func(t *testing.T) {
		list, err := kernel.List(root)
		if err != nil {
			t.Error(err)
		}
		for i := range list {
			d := open(t, list[i].Name)
			values, err := d.Read(t.Context())
			t.Logf("%v at %s: %v, %v", d, list[i].Path, values, err)
		}
		_, err = os.Stat(ownBus)
		if onPi := err == nil; onPi {
			// The processor's own sensor, which QEMU plays at room temperature.
			values, err := open(t, "cpu-thermal").Read(t.Context())
			if err != nil || values[0] < 10 || values[0] > 40 {
				t.Errorf("cpu-thermal: %v, %v", values, err)
			}
		}
	})

	t.Run("the computer itself", func(t *testing.T) {
		d := host.Open(root, &host.Opts{Disks: []string{"/tmp"}})
		values, err := d.Read(t.Context())
		if err != nil {
			t.Error(err)
		}
		seen := map[string]bool{}
		for i, q := range d.Channels() {
			seen[q.Name] = values != nil && q.Plausible(values[i])
			t.Logf("%s %v %s", q.Name, values[i], q.Unit)
		}
		for _, name := range []string{"load_1", "memory_total", "memory_used", "uptime", "disk_tmp_total"} {
			if !seen[name] {
				t.Errorf("no %s", name)
			}
		}
		addresses, err := d.Addresses(t.Context())
		t.Log(addresses, err)
		if err != nil {
			t.Error(err)
		}
	})
}
