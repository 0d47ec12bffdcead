package things

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pithings/device"
	"pithings/hw/mock"
	"pithings/hw/probe"
)

func TestKernelSensor(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		thing := b.open("attic", Options{Extra: Extra{"room": "attic", "humidity": "high"}}, &KernelSettings{Device: "mock:dht22"}, quiet)
		if q := thing.(Measuring).Quantities(); q != nil {
			t.Errorf("before it is open: %v", q)
		}
		stop := b.run(thing)
		time.Sleep(15 * time.Second)
		stop()
		var lines []string
		for _, line := range b.link.Transcript() {
			topic, payload, _ := strings.Cut(line, " ")
			var keys map[string]any
			if err := json.Unmarshal([]byte(payload), &keys); err != nil {
				t.Fatal(err)
			}
			for _, k := range []string{"utc_timestamp", "value", "temperature"} {
				if _, ok := keys[k].(float64); !ok && keys[k] != nil {
					t.Errorf("%s is %v", k, keys[k])
				}
			}
			lines = append(lines, topic+" "+keysIn(payload))
		}
		once := []string{
			"attic/humidity utc_timestamp value origin status humidity room",
			"attic/temperature utc_timestamp value origin status humidity room",
			"attic/state utc_timestamp humidity temperature status room",
		}
		if want := append(slices.Clone(once), once...); !slices.Equal(lines, want) {
			t.Errorf("published\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		if line := b.link.Transcript()[0]; !strings.Contains(line, `"origin": "mock:dht22 humidity", "status": "success", "humidity": "high", "room": "attic"`) {
			t.Error(line)
		}
		want := device.Quantity{Name: "humidity", Event: "state", Key: "humidity", Unit: "%", Class: "humidity"}
		got := thing.(Measuring).Quantities()[0]
		if got.Name != want.Name || got.Event != want.Event || got.Key != want.Key || got.Unit != want.Unit || got.Class != want.Class {
			t.Errorf("%+v", got)
		}
	})
}

// keysIn lists the keys of an object in their order.
func keysIn(payload string) string {
	var keys []string
	d := json.NewDecoder(strings.NewReader(payload))
	depth := 0
	for key := true; ; {
		token, err := d.Token()
		if err != nil {
			return strings.Join(keys, " ")
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth++
			} else {
				depth--
			}
			key = true
		case string:
			if depth == 1 && key {
				keys = append(keys, v)
				key = false
				continue
			}
			key = true
		default:
			key = true
		}
	}
}

// One value that fails is null, and the other is published; a sensor that vanishes and comes
// back under another number is found again.
func TestKernelSensorFaults(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		thing := b.open("power", Options{}, &KernelSettings{Device: "mock:ina219", Interval: seconds(10)}, quiet)
		defer b.run(thing)()
		state := func() map[string]any {
			m := b.link.Published("power/state")
			var v map[string]any
			if err := json.Unmarshal(m[len(m)-1].Payload, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		if v := state(); v["status"] != "success" || v["current"] == nil {
			t.Errorf("%v", v)
		}
		k := b.board.Kernel()
		k.Fail("ina219", "curr1_input", syscall.EIO)
		time.Sleep(11 * time.Second)
		if v := state(); v["status"] != "success" || v["current"] != nil || v["power"] == nil || b.last() == nil {
			t.Errorf("%v, %v", v, b.last())
		}
		k.Fail("ina219", "curr1_input", nil)
		k.Unplug("ina219")
		time.Sleep(40 * time.Second)
		if v := state(); v["status"] != "fail" || v["power"] != nil || b.last() == nil {
			t.Errorf("%v, %v", v, b.last())
		}
		k.Replug("ina219")
		time.Sleep(40 * time.Second)
		if v := state(); v["status"] != "success" || b.last() != nil {
			t.Errorf("%v, %v", v, b.last())
		}
	})
}

func TestKernelSensorThatIsNotThere(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		defer b.run(b.open("x", Options{}, &KernelSettings{Device: "bh1750", Sysfs: t.TempDir()}, quiet))()
		time.Sleep(25 * time.Second)
		if err := b.last(); err == nil || !strings.Contains(err.Error(), "bh1750") {
			t.Errorf("%v", err)
		}
		for _, line := range b.link.Transcript() {
			if !strings.HasPrefix(line, `x/state {"utc_timestamp": `) || !strings.HasSuffix(line, `, "status": "fail"}`) {
				t.Error(line)
			}
		}
	})
}

// A folder with a copy of sys takes the place of the machine's.
func TestKernelSensorInAFolder(t *testing.T) {
	dir := t.TempDir()
	sensor := filepath.Join(dir, "sys/class/hwmon/hwmon3")
	if err := os.MkdirAll(sensor, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"name": "lm75\n", "temp1_input": "21375\n"} {
		if err := os.WriteFile(filepath.Join(sensor, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	board := mock.New(mock.Options{})
	defer board.Close()
	s := &KernelSettings{Device: "lm75", Sysfs: dir, Timeout: seconds(5)}
	r := s.Probe(t.Context(), probe.New(board, nil), "rack")
	if len(r) != 1 || r[0].Status != probe.OK || !strings.Contains(r[0].Found, "temperature 21.4 °C") && !strings.Contains(r[0].Found, "temperature 21.375 °C") && !strings.Contains(r[0].Found, "temperature 21.38 °C") {
		t.Errorf("%+v", r)
	}
	s.Device = "lm76"
	if r := s.Probe(t.Context(), probe.New(board, nil), "rack"); r[0].Status != probe.Fail || !strings.Contains(r[0].Problem+r[0].Fix, "lm75") {
		t.Errorf("%+v", r)
	}
}

func TestHost(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		var self atomic.Pointer[Self]
		self.Store(&Self{Version: "1.2.3", Parts: map[string]string{"pi": "starting"}})
		s := &HostSettings{Status: true, Interval: seconds(60)}
		thing, err := s.Open(Options{Thing: "pi"}, Env{Board: b.board, Link: b.link, Events: &b.events, Log: quiet, Self: func() Self { return *self.Load() }})
		if err != nil {
			t.Fatal(err)
		}
		stop := b.run(thing)
		time.Sleep(61 * time.Second)
		if n := len(b.link.Published("pi/status")); n != 1 {
			t.Errorf("%d status messages without a change", n)
		}
		self.Store(&Self{Version: "1.2.3", Parts: map[string]string{"pi": "up"}, Queued: 2})
		time.Sleep(61 * time.Second)
		stop()
		m := b.link.Published("pi/status")
		if len(m) != 2 || !m[1].Retain || string(m[1].Payload) != `{"version":"1.2.3","parts":{"pi":"up"},"queued":2}` {
			t.Errorf("%+v", m)
		}
		state := string(b.link.Published("pi/state")[0].Payload)
		for _, key := range []string{"cpu_temperature", "load_1", "memory_used", "uptime", "addresses"} {
			if !slices.Contains(strings.Fields(keysIn(state)), key) {
				t.Errorf("%s is not in %s", key, state)
			}
		}
		if len(b.link.Published("pi/cpu_temperature")) != 3 {
			t.Errorf("%v", b.link.Transcript())
		}
	})
}

// The simulated computer has no firmware; that is said once, and all else is measured.
func TestHostWithoutFirmware(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		stop := b.run(b.open("pi", Options{}, &HostSettings{Firmware: true}, quiet))
		time.Sleep(3 * time.Minute)
		stop()
		if err := b.last(); err != nil {
			t.Error(err)
		}
		if m := b.link.Published("pi/throttled"); len(m) != 0 {
			t.Errorf("%v", m)
		}
	})
}
