package kernel

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pithings/hw"
	"pithings/sensors/internal/sysfs"
)

// faulty is a file system in which files fail and hang.
type faulty struct {
	fstest.MapFS
	fail   map[string]func() error // by the path's end; what a read returns, nil for its text
	opened map[string]int
}

func (f faulty) Open(name string) (fs.File, error) {
	file, err := f.MapFS.Open(name)
	for end, fail := range f.fail {
		if err == nil && strings.HasSuffix(name, end) {
			f.opened[end]++
			return faultyFile{file, fail}, nil
		}
	}
	return file, err
}

// Sub keeps the faults in a folder.
func (f faulty) Sub(dir string) (fs.FS, error) { return fs.Sub(struct{ fs.FS }{f}, dir) }

type faultyFile struct {
	fs.File
	fail func() error
}

func (f faultyFile) Read(b []byte) (int, error) {
	if err := f.fail(); err != nil {
		return 0, err
	}
	return f.File.Read(b)
}

func always(err error) func() error { return func() error { return err } }

func open(t *testing.T, files, name string, fail map[string]func() error) (*Device, faulty) {
	t.Helper()
	root := faulty{tree(files), fail, map[string]int{}}
	d, err := Open(root, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d, root
}

func TestFaults(t *testing.T) {
	const file = "in1_input"
	for _, c := range []struct {
		name string
		fail error  // of the read
		text string // of the file
		want error
	}{
		{name: "EIO", fail: syscall.EIO, want: syscall.EIO},
		{name: "not ready", fail: syscall.EAGAIN, want: syscall.EAGAIN},
		{name: "switched off", fail: syscall.ENODATA, want: syscall.ENODATA},
		{name: "no number", text: "N/A", want: sysfs.ErrNoNumber},
		{name: "NaN", text: "nan", want: sysfs.ErrNoNumber},
		{name: "empty", text: "", want: sysfs.ErrNoNumber},
		{name: "two numbers", text: "1 2", want: sysfs.ErrNoNumber},
		{name: "too long", text: strings.Repeat("1", 4097), want: sysfs.ErrTooLong},
		{name: "out of range", text: "99999999999", want: ErrImplausible},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := strings.Replace(ina219, "in1_input 5048", "in1_input "+c.text, 1)
			d, _ := open(t, files, "ina219", map[string]func() error{file: always(c.fail)})
			values, err := d.Read(t.Context())
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			// The others are measured all the same.
			if got := show(d, values); got != "current 0.18 A, voltage_0 0.018 V, voltage_1 NaN V, power 0.92 W" {
				t.Errorf("read %s", got)
			}
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "ina219: voltage_1: ") {
				t.Errorf("the error is %q", err)
			}
		})
	}
	t.Run("all channels", func(t *testing.T) {
		d, _ := open(t, ina219, "ina219", map[string]func() error{"_input": always(syscall.EIO)})
		values, err := d.Read(t.Context())
		if values != nil || !errors.Is(err, syscall.EIO) {
			t.Errorf("%v, %v", values, err)
		}
	})
	t.Run("the driver reports a fault", func(t *testing.T) {
		d, _ := open(t, lm75s+`
			sys/devices/platform/soc/20804000.i2c/i2c-1/1-0049/hwmon/hwmon4/temp1_fault 1`, "lm75@1-0049", nil)
		if values, err := d.Read(t.Context()); values != nil || err == nil || !strings.Contains(err.Error(), "reports a fault") {
			t.Errorf("%v, %v", values, err)
		}
	})
}

// A DHT22 loses one transfer of two: each reading is made after the pause that it needs.
func TestDHT22LosesTransfers(t *testing.T) {
	for _, lost := range []error{syscall.EIO, syscall.ETIMEDOUT} {
		synctest.Test(t, func(t *testing.T) {
			transfers := 0
			var last, good time.Time
			d, _ := open(t, dht22, "dht22", map[string]func() error{"_input": func() error {
				if time.Since(good) < 2*time.Second {
					return nil // the driver keeps it, for both values
				}
				if time.Since(last) < 2*time.Second {
					t.Errorf("transfer %d came %v after the one before", transfers+1, time.Since(last))
				}
				last = time.Now()
				if transfers++; transfers%2 == 1 {
					return lost
				}
				good = last
				return nil
			}})
			for range 3 {
				values, err := d.Read(t.Context())
				if got := show(d, values); err != nil || got != "humidity 48.3 %, temperature 21.5 °C" {
					t.Errorf("read %s, %v", got, err)
				}
				time.Sleep(10 * time.Second)
			}
			if transfers != 6 {
				t.Errorf("%d transfers for three readings, want 6", transfers)
			}
		})
	}
}

func TestDHT22ThatIsUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, root := open(t, dht22, "dht22", map[string]func() error{"_input": always(syscall.ETIMEDOUT)})
		start := time.Now()
		values, err := d.Read(t.Context())
		if values != nil || !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) != dhtPause || root.opened["_input"] != 2 {
			t.Errorf("%v, %v after %v and %d transfers", values, err, time.Since(start), root.opened["_input"])
		}
		// A caller that cannot wait for the pause is not made to.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// Only a DHT waits: all others fail at once.
func TestOthersAreNotReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, root := open(t, ds18b20, "ds18b20", map[string]func() error{"temperature": always(syscall.EIO)})
		start := time.Now()
		if _, err := d.Read(t.Context()); !errors.Is(err, syscall.EIO) || time.Since(start) > 0 || root.opened["temperature"] != 1 {
			t.Errorf("%v after %v and %d reads", err, time.Since(start), root.opened["temperature"])
		}
	})
}

// A file that blocks costs one goroutine, however many readings fail.
func TestAFileThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		d, root := open(t, ds18b20, "ds18b20", map[string]func() error{"temperature": func() error { <-answer; return nil }})
		for range 5 {
			values, err := d.Read(t.Context())
			if values != nil || !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), "28-0316a2794f5b/temperature does not answer for") {
				t.Fatalf("%v, %v", values, err)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait() // orders the goroutine's count before this one
		if n := root.opened["temperature"]; n != 1 {
			t.Errorf("%d goroutines wait for it, want 1", n)
		}
		close(answer)
		synctest.Wait()
		if values, err := d.Read(t.Context()); err != nil {
			t.Errorf("when it answers again: %v, %v", values, err)
		}
	})
}

func TestPowerOnValue(t *testing.T) {
	root := tree(ds18b20)
	d, err := Open(root, "ds18b20", nil)
	if err != nil {
		t.Fatal(err)
	}
	const file = "sys/devices/w1_bus_master1/28-0316a2794f5b/temperature"
	for _, c := range []struct {
		text string
		want error
	}{
		{"85000", ErrPowerOn}, {"21000", nil}, {"85000", ErrPowerOn},
		{"84500", nil}, {"85000", nil}, {"85000", nil}, // water that really is so hot
		{"127937", ErrImplausible}, // the supply breaks down during the measurement
		{"", sysfs.ErrNoNumber},    // a measurement of all sensors is under way
	} {
		root[file] = &fstest.MapFile{Data: []byte(c.text + "\n")}
		if values, err := d.Read(t.Context()); !errors.Is(err, c.want) || (values == nil) != (c.want != nil) {
			t.Errorf("%s: %v, %v, want %v", c.text, values, err, c.want)
		}
	}
}

func TestSlaveFile(t *testing.T) {
	const good = "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000"
	if v, err := parseSlave([]byte(good)); v != 85000 || err != nil {
		t.Error(v, err)
	}
	for text, want := range map[string]error{
		strings.Replace(good, "YES", "NO", 1):   ErrCRC,
		strings.Replace(good, "t=85000", "", 1): sysfs.ErrNoNumber,
		strings.Replace(good, "85000", "8x", 1): sysfs.ErrNoNumber,
		strings.Replace(good, "\n", " ", 1):     sysfs.ErrNoNumber,
		"00 00 00 00 00 00 00 00 00 : crc=00 ":  sysfs.ErrNoNumber,
		"":                                      sysfs.ErrNoNumber,
		"x YESTERDAY\n t=1":                     ErrCRC,
	} {
		if v, err := parseSlave([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q is %v, %v, want %v", text, v, err, want)
		}
	}
}

// rename moves a device's link to another number.
func rename(root fstest.MapFS, from, to, target string) {
	delete(root, from)
	root[to] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

func TestADeviceReturnsUnderAnotherNumber(t *testing.T) {
	root := tree(lm75s)
	d, err := Open(root, "lm75@1-0048", nil)
	if err != nil {
		t.Fatal(err)
	}
	link := string(root["sys/class/hwmon/hwmon3"].Data)
	delete(root, "sys/class/hwmon/hwmon3")
	if _, err := d.Read(t.Context()); !errors.Is(err, hw.ErrGone) {
		t.Errorf("while it is away: %v", err)
	}
	if _, err := Open(root, "lm75@1-0048", nil); !errors.Is(err, hw.ErrNotFound) {
		t.Errorf("while it is away: %v", err)
	}
	// The other one has its number now.
	rename(root, "sys/class/hwmon/hwmon4", "sys/class/hwmon/hwmon3", "../../devices/platform/soc/20804000.i2c/i2c-1/1-0049/hwmon/hwmon4")
	if values, err := d.Read(t.Context()); !errors.Is(err, hw.ErrGone) {
		t.Errorf("another's value was read: %v, %v", values, err)
	}
	rename(root, "", "sys/class/hwmon/hwmon9", link)
	d, err = Open(root, "lm75@1-0048", nil)
	if err != nil {
		t.Fatal(err)
	}
	if values, err := d.Read(t.Context()); err != nil || show(d, values) != "temperature 23.125 °C" {
		t.Errorf("%v, %v", values, err)
	}
}

// Without links it is the name that shows whose folder it is.
func TestAnotherDeviceInAFolderWithoutLinks(t *testing.T) {
	root := tree(`
		sys/class/hwmon/hwmon0/name lm75
		sys/class/hwmon/hwmon0/temp1_input 20000`)
	d, err := Open(root, "lm75", nil)
	if err != nil {
		t.Fatal(err)
	}
	root["sys/class/hwmon/hwmon0/name"] = &fstest.MapFile{Data: []byte("sht21\n")}
	if _, err := d.Read(t.Context()); !errors.Is(err, hw.ErrGone) {
		t.Error(err)
	}
}

func TestADeviceThatVanishesWhileItIsRead(t *testing.T) {
	for _, gone := range []error{syscall.ENODEV, syscall.ENOENT} {
		d, _ := open(t, ina219, "ina219", map[string]func() error{"power1_input": always(gone)})
		if values, err := d.Read(t.Context()); values != nil || !errors.Is(err, hw.ErrGone) {
			t.Errorf("%v, %v", values, err)
		}
	}
}
