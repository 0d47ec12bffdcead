//go:build unix

package kernel_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pithings/hw"
	"pithings/hw/mock"
	"pithings/sensors/kernel"
)

// TestThisMachine reads every sensor that the kernel of this machine shows.
func TestThisMachine(t *testing.T) {
	root, err := hw.OpenFolder("/")
	if err != nil {
		t.Fatal(err)
	}
	list, err := kernel.List(root)
	if err != nil {
		t.Error(err)
	}
	if len(list) == 0 {
		t.Skip("skipped: this machine's kernel shows no sensors")
	}
	for i := range list {
		s := &list[i]
		d, err := kernel.Open(root, s.Name, nil)
		if err != nil && !errors.Is(err, kernel.ErrAmbiguous) {
			t.Errorf("%v: %v", s, err)
			continue
		}
		if err != nil {
			continue
		}
		values, err := d.Read(t.Context())
		t.Logf("%v: %v, %v", s, values, err)
	}
}

// A FIFO without a writer blocks the first open only.
func TestFIFO(t *testing.T) {
	dir := t.TempDir()
	zone := filepath.Join(dir, "sys/class/thermal/thermal_zone0")
	if err := os.MkdirAll(zone, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(zone, "type"), []byte("cpu-thermal\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(zone, "temp")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := hw.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := kernel.Open(root, "cpu-thermal", &kernel.Opts{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := d.Read(t.Context()); !errors.Is(err, kernel.ErrHangs) {
			t.Errorf("%v, want %v", err, kernel.ErrHangs)
		}
	}
	// Opening the other end ends the one open that waits.
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(pipe); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pipe, []byte("48000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		values, err := d.Read(t.Context())
		if err == nil && values[0] == 48 {
			break
		}
		if !errors.Is(err, kernel.ErrHangs) || time.Now().After(deadline) {
			t.Fatalf("after it has answered: %v, %v", values, err)
		}
	}
}

// The simulated board's sensors, by all their names.
func TestMock(t *testing.T) {
	board := mock.New(mock.Options{})
	t.Cleanup(func() { _ = board.Close() })
	for name, want := range map[string]string{
		"mock": "humidity temperature", "mock:dht22": "humidity temperature", "dht22": "humidity temperature", "anything": "humidity temperature",
		"mock:ina219": "current voltage_0 voltage_1 power", "ina219": "current voltage_0 voltage_1 power",
		"mock:ds18b20": "temperature", "28-0316a2794f5b": "temperature",
		"mock:cpu": "temperature", "cpu-thermal": "temperature",
	} {
		root, err := board.Sysfs(name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := kernel.Open(root, name, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		values, err := d.Read(t.Context())
		var names []string
		for i, q := range d.Channels() {
			names = append(names, q.Name)
			if err == nil && (math.IsNaN(values[i]) || !q.Plausible(values[i])) {
				t.Errorf("%s: %s is %v", name, q.Name, values[i])
			}
		}
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("%s measures %s, %v, want %s", name, got, err, want)
		}
	}
}

func TestMockFaults(t *testing.T) {
	board := mock.New(mock.Options{})
	t.Cleanup(func() { _ = board.Close() })
	root, err := board.Sysfs("mock:ina219")
	if err != nil {
		t.Fatal(err)
	}
	open := func() *kernel.Device {
		t.Helper()
		d, err := kernel.Open(root, "mock:ina219", &kernel.Opts{Timeout: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d, k := open(), board.Kernel()
	k.Fail(mock.INA219, "curr1_input", syscall.EIO)
	if values, err := d.Read(t.Context()); !errors.Is(err, syscall.EIO) || values == nil || !math.IsNaN(values[0]) {
		t.Errorf("a channel that fails: %v, %v", values, err)
	}
	k.Fail(mock.INA219, "curr1_input", nil)
	k.Set(mock.INA219, "in1_input", "12000")
	if values, err := d.Read(t.Context()); err != nil || values[2] != 12 {
		t.Errorf("a text that was set: %v, %v", values, err)
	}
	k.Hang(mock.INA219, "power1_input", true)
	if _, err := d.Read(t.Context()); !errors.Is(err, kernel.ErrHangs) {
		t.Errorf("a file that hangs: %v", err)
	}
	k.Hang(mock.INA219, "power1_input", false)
	k.Unplug(mock.INA219)
	if _, err := kernel.Find(root, "mock:ina219"); !errors.Is(err, hw.ErrNotFound) {
		t.Errorf("unplugged: %v", err)
	}
	k.Replug(mock.INA219)
	if _, err := fs.Stat(root, "sys/class/hwmon/hwmon0"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has the same number as before: %v", err)
	}
	if values, err := open().Read(t.Context()); err != nil {
		t.Errorf("plugged in again: %v, %v", values, err)
	}
}
