package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/hw"
)

func show(d *Device, values []float64) string {
	var list []string
	for i, q := range d.Channels() {
		v := math.NaN()
		if values != nil {
			v = values[i]
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %.*f %s", q.Name, q.Precision, v, q.Unit)))
	}
	return strings.Join(list, ", ")
}

const common = "load_1 0.52, load_5 0.31, load_15 0.18, memory_total 452907008 B, memory_available 274436096 B, memory_used 39.4 %, uptime 354127 s"

func TestPis(t *testing.T) {
	card := func(string) (Space, error) {
		return Space{Total: 31_000_000_000, Free: 21_000_000_000, Available: 19_500_000_000}, nil
	}
	for _, c := range []struct {
		name, files string
		opts        Opts
		want        string
	}{
		{name: "Pi Zero W", files: zeroW, want: "cpu_temperature 47.8 °C, under_voltage 1, " + common + ", signal_strength -55 dBm"},
		{name: "3B+", files: three, opts: Opts{Disks: []string{"/"}, Statfs: card},
			want: "cpu_temperature 47.8 °C, under_voltage 1, " + common + ", signal_strength -55 dBm, disk_total 31000000000 B, disk_available 19500000000 B, disk_used 33.9 %"},
		{name: "Pi 4 on a cable, with a disk", files: four, opts: Opts{Disks: []string{"/mnt/usb-disk"}, Statfs: card},
			want: "cpu_temperature 47.8 °C, under_voltage 1, " + common + ", disk_mnt_usb_disk_total 31000000000 B, disk_mnt_usb_disk_available 19500000000 B, disk_mnt_usb_disk_used 33.9 %"},
		{name: "Pi 4 with the firmware's flags", files: four, opts: Opts{Throttled: Deprecated(tree(four))},
			want: "cpu_temperature 47.8 °C, under_voltage 1, throttled 1, frequency_capped 0, temperature_limit 0, " + common},
		{name: "Pi 5 with two radios, one connected", files: five,
			want: "cpu_temperature 47.8 °C, under_voltage 0, " + common + ", signal_strength_wlan0 NaN dBm, signal_strength_wlan1 -69 dBm"},
		{name: "a PC", files: proc + `
			sys/class/thermal/thermal_zone0/type acpitz
			sys/class/thermal/thermal_zone0/temp 16800
			sys/class/thermal/thermal_zone1/type x86_pkg_temp
			sys/class/thermal/thermal_zone1/temp 52000`, want: "cpu_temperature 52.0 °C, " + common},
		{name: "another board", files: `
			sys/class/thermal/thermal_zone0/type gpu-thermal
			sys/class/thermal/thermal_zone0/temp 40000
			sys/class/thermal/thermal_zone1/type soc-thermal
			sys/class/thermal/thermal_zone1/temp 41000
			proc/uptime 1.50 0.00`, want: "cpu_temperature 41.0 °C, uptime 2 s"},
		{name: "nothing", files: "", want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Open(tree(c.files), &c.opts)
			values, err := d.Read(t.Context())
			if got := show(d, values); err != nil || got != c.want {
				t.Errorf("read %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

// Each file that is missing leaves out what it shows, and nothing else.
func TestEachFileAlone(t *testing.T) {
	for file, lost := range map[string]string{
		"sys/devices/virtual/thermal/thermal_zone0/type":                                       "cpu_temperature 47.8 °C, ",
		"sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1/in0_lcrit_alarm": "under_voltage 1, ",
		"sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1/name":            "under_voltage 1, ",
		"proc/loadavg":      "load_1 0.52, load_5 0.31, load_15 0.18, ",
		"proc/meminfo":      "memory_total 452907008 B, memory_available 274436096 B, memory_used 39.4 %, ",
		"proc/uptime":       "uptime 354127 s, ",
		"proc/net/wireless": ", signal_strength -55 dBm",
	} {
		all := tree(zeroW)
		want := strings.Replace(show(Open(all, nil), read(t, Open(all, nil))), lost, "", 1)
		if all[file] == nil {
			t.Fatalf("no file %s", file)
		}
		delete(all, file)
		d := Open(all, nil)
		if got := show(d, read(t, d)); got != want {
			t.Errorf("without %s: %s\nwant %s", file, got, want)
		}
	}
}

func read(t *testing.T, d *Device) []float64 {
	t.Helper()
	values, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// What cannot be read while running fails alone.
func TestFailures(t *testing.T) {
	root := tree(zeroW)
	d := Open(root, &Opts{
		Disks:     []string{"/data"},
		Statfs:    func(string) (Space, error) { return Space{}, syscall.EIO },
		Throttled: func() (Flags, error) { return 0, fs.ErrPermission },
	})
	root["proc/loadavg"] = &fstest.MapFile{Data: []byte("nan 1 2\n")}
	root["sys/devices/virtual/thermal/thermal_zone0/temp"] = &fstest.MapFile{Data: []byte("999000\n")}
	delete(root, "proc/net/wireless")
	values, err := d.Read(t.Context())
	const want = "cpu_temperature NaN °C, under_voltage 1, throttled NaN, frequency_capped NaN, temperature_limit NaN, load_1 NaN, load_5 NaN, load_15 NaN, " +
		"memory_total 452907008 B, memory_available 274436096 B, memory_used 39.4 %, uptime 354127 s, signal_strength NaN dBm, disk_data_total NaN B, disk_data_available NaN B, disk_data_used NaN %"
	if got := show(d, values); got != want {
		t.Errorf("read %s\nwant %s", got, want)
	}
	for _, e := range []error{ErrFormat, fs.ErrNotExist, fs.ErrPermission, syscall.EIO} {
		if !errors.Is(err, e) {
			t.Errorf("%v lacks %v", err, e)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has several lines", err)
	}
}

// A disk that hangs, as one on a network does, costs one goroutine.
func TestADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := 0, make(chan struct{})
		d := Open(tree(proc), &Opts{Disks: []string{"/nas"}, Statfs: func(string) (Space, error) {
			asked++
			<-answer
			return Space{Total: 2, Free: 1, Available: 1}, nil
		}})
		for range 3 {
			if values, err := d.Read(t.Context()); values != nil || !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), "/nas does not answer") {
				t.Fatalf("%v, %v", values, err)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait() // orders the goroutine's count before this one
		if asked != 1 {
			t.Errorf("%d goroutines ask, want 1", asked)
		}
		close(answer)
		synctest.Wait()
		if _, err := d.Read(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTexts(t *testing.T) {
	nan := func(n int) []float64 { return slices.Repeat([]float64{math.NaN()}, n) }
	for _, text := range []string{"", "0.5 0.4", "0.5 0.4 x 1/2 3", "a b c"} {
		if v := nan(3); !errors.Is(numbers([]byte(text), v), ErrFormat) || !math.IsNaN(v[0]) {
			t.Errorf("load of %q is %v", text, v)
		}
	}
	for _, text := range []string{"", "MemTotal: 5 kB", "MemTotal: 5 kB\nMemAvailable: 6 kB", "MemTotal: 0 kB\nMemAvailable: 0 kB", "MemTotal: 5\nMemAvailable: 1 kB", "MemTotal: x kB\nMemAvailable: 1 kB"} {
		if v := nan(3); !errors.Is(parseMemory([]byte(text), v), ErrFormat) || !math.IsNaN(v[0]) {
			t.Errorf("memory of %q is %v", text, v)
		}
	}
	for text, want := range map[string]Flags{"0": 0, "50005": 0x50005, "0xe0008": 0xe0008} {
		if f, err := parseFlags([]byte(text)); f != want || err != nil {
			t.Errorf("%q is %#x, %v", text, f, err)
		}
	}
	for _, text := range []string{"", "x", "1ffffffff", "-1"} {
		if f, err := parseFlags([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q is %#x, %v", text, f, err)
		}
	}
	for row, want := range map[string]float64{
		" wlan0: 0000   55.  -55.  -256 0": -55, " wlan0: 0000 0 0 0": math.NaN(), "wlan0: 0000 70. 40. -256": math.NaN(), "w: 0000 0 -256 0": math.NaN(),
	} {
		l, err := parseWireless([]byte("a\nb\n" + row))
		if err != nil || len(l) != 1 || l[0].dBm != want && !math.IsNaN(want) || math.IsNaN(want) != math.IsNaN(l[0].dBm) {
			t.Errorf("%q is %v, %v, want %v", row, l, err, want)
		}
	}
	for _, row := range []string{"wlan0 0000 55. -55.", "wlan0: 0000 55.", "wlan0: 0000 55. x. -256"} {
		if l, err := parseWireless([]byte("a\nb\n" + row)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q is %v, %v", row, l, err)
		}
	}
}

const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 192.168.1.0/24 2 0 2
        +-- 192.168.1.0/28 2 0 2
           |-- 192.168.1.0
              /24 link UNICAST
           |-- 192.168.1.20
              /32 host LOCAL
        |-- 192.168.1.255
           /32 link BROADCAST
Local:
  +-- 192.168.1.0/24 2 0 2
     |-- 192.168.1.20
        /32 host LOCAL
     |-- 10.8.0.2
        /32 host LOCAL
`

func TestAddresses(t *testing.T) {
	root := fstest.MapFS{
		"proc/net/fib_trie": {Data: []byte(trie)},
		"proc/net/if_inet6": {Data: []byte("fe80000000000000ba27ebfffe123456 03 40 20 80    wlan0\n00000000000000000000000000000001 01 80 10 80       lo\n20010db8000000010000000000000020 03 40 00 00    wlan0\n")},
	}
	d := Open(root, nil)
	got, err := d.Addresses(t.Context())
	want := []netip.Addr{netip.MustParseAddr("192.168.1.20"), netip.MustParseAddr("10.8.0.2"), netip.MustParseAddr("fe80::ba27:ebff:fe12:3456"), netip.MustParseAddr("2001:db8:0:1::20")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if list, err := Open(fstest.MapFS{}, nil).Addresses(t.Context()); len(list) > 0 || err != nil {
		t.Errorf("without networks: %v, %v", list, err)
	}
	for file, text := range map[string]string{"proc/net/fib_trie": "|-- 1.2.3\n", "proc/net/if_inet6": "fe80 1\n"} {
		if _, err := Open(fstest.MapFS{file: {Data: []byte(text)}}, nil).Addresses(t.Context()); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Addresses(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestThisMachine reads the machine that the test runs on.
func TestThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: no Linux")
	}
	root, err := hw.OpenFolder("/")
	if err != nil {
		t.Fatal(err)
	}
	d := Open(root, &Opts{Disks: []string{"/"}})
	values, err := d.Read(t.Context())
	if err != nil {
		t.Error(err)
	}
	t.Log(show(d, values))
	for _, name := range []string{"load_1", "memory_total", "uptime", "disk_total"} {
		i := slices.IndexFunc(d.Channels(), func(q device.Quantity) bool { return q.Name == name })
		if i < 0 || values == nil || math.IsNaN(values[i]) {
			t.Errorf("no %s", name)
		}
	}
	addresses, err := d.Addresses(t.Context())
	if err != nil {
		t.Error(err)
	}
	t.Log(addresses)
}

func TestNamesAreDistinct(t *testing.T) {
	d := Open(tree(five), &Opts{Disks: []string{"/", "/data"}, Throttled: func() (Flags, error) { return 0, nil }})
	seen := map[string]bool{}
	for _, q := range d.Channels() {
		if seen[q.Name] {
			t.Errorf("%s twice", q.Name)
		}
		seen[q.Name] = true
	}
}

// Folders whose names become one have quantities of their own.
func TestNamesOfDisks(t *testing.T) {
	card := func(string) (Space, error) { return Space{Total: 1}, nil }
	long := "/media/pi/a-very-long-name-of-a-disk-"
	d := Open(tree(zeroW), &Opts{Disks: []string{"/", "/mnt/a-b", "/mnt/a_b", long + "1", long + "2", "/日本"}, Statfs: card})
	seen := map[string]bool{}
	for _, q := range d.Channels() {
		if seen[q.Name] {
			t.Errorf("%s is there twice", q.Name)
		}
		seen[q.Name] = true
	}
	for _, name := range []string{"disk_total", "disk_mnt_a_b_total", "disk_mnt_a_b_2_total", "disk_mnt_a_b_2_used"} {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}
