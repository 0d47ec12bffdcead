//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pithings/hw"
	"pithings/hw/mock"
	"pithings/test/binary"
)

// Modbus with programs of others: pymodbus as the server, and mbpoll as the client of our
// simulated device, over TCP and over serial ports.

// pseudoTerminal opens a pair of serial ports without wires (pts(4)).
func pseudoTerminal(t *testing.T) (other *os.File, node string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	other = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { other.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	node = fmt.Sprintf("/dev/pts/%d", n)
	// As long as nothing has the node open, the other end reads errors: this keeps it open.
	keep, err := unix.Open(node, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(keep) })
	raw, err := unix.IoctlGetTermios(keep, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	raw.Iflag, raw.Oflag, raw.Lflag = 0, 0, 0 // until a program sets its own: nothing is echoed
	if err := unix.IoctlSetTermios(keep, unix.TCSETS, raw); err != nil {
		t.Fatal(err)
	}
	return other, node
}

// join passes on what either end sends until one of them is closed.
func join(a, b io.ReadWriteCloser) {
	go func() { _, _ = io.Copy(a, b); a.Close() }()
	go func() { _, _ = io.Copy(b, a); b.Close() }()
}

// pymodbus starts the server.
func pymodbus(t *testing.T, args ...string) *process {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, which has Debian's packages
	if err := exec.Command(python, "-c", "import pymodbus, serial").Run(); err != nil {
		binary.Lacks(t, "python3-pymodbus or python3-serial is missing; test/need installs them")
	}
	p := start(t, python, append([]string{filepath.Join("testdata", "modbus_server.py")}, args...)...)
	p.line("ready")
	return p
}

func TestModbusWithPymodbus(t *testing.T) {
	t.Run("TCP", func(t *testing.T) {
		port := freePort(t)
		at := fmt.Sprint(port)
		withPymodbus(t, "device: \"tcp://127.0.0.1:"+at+"\"", func() *process {
			p := pymodbus(t, "tcp", at)
			awaitListener(t, port)
			return p
		})
	})
	t.Run("RTU", func(t *testing.T) {
		a, ours := pseudoTerminal(t)
		b, theirs := pseudoTerminal(t)
		join(a, b)
		// A pseudo terminal has no parity, and pyserial refuses one that was not set.
		withPymodbus(t, "device: "+ours+"\n    speed: 115200\n    parity: none", func() *process { return pymodbus(t, "rtu", theirs, "115200", "N") })
	})
}

// withPymodbus reads all types of values of the server, writes some, takes the server away and
// brings it back.
func withPymodbus(t *testing.T, device string, serve func() *process) {
	server := serve()
	broker := freePort(t)
	config := filepath.Join(t.TempDir(), "plc.yaml")
	text := fmt.Sprintf("broker: {listen: \"127.0.0.1:%d\"}\n", broker) + "things:\n  - name: plc\n    type: modbus\n    " + device + `
    unit: 7
    each: true
    interval: 1s
    timeout: 500ms
    registers:
      - {name: setpoint, address: 40001, type: int16, gain: 0.1, min: 5, max: 35, writable: true}
      - {name: f32, address: 40011, type: float32, writable: true}
      - {name: i32, address: 40013, type: int32, writable: true}
      - {name: u32, address: 40015, type: uint32}
      - {name: f64, address: 40017, type: float64, writable: true}
      - {name: i64, address: "holding:0x14", type: int64}
      - {name: f32_low, address: 40031, type: float32, order: CDAB}
      - {name: i32_low, address: 40033, type: int32, order: CDAB, writable: true}
      - {name: u32_low, address: 40035, type: uint32, order: CDAB}
      - {name: f64_low, address: 40037, type: float64, order: CDAB}
      - {name: i64_low, address: 40041, type: int64, order: CDAB}
      - {name: flag, address: 40002, bit: 9, writable: true}
      - {name: unset, address: 40002, bit: 8}
      - {name: text, address: 40061, type: string, length: 6, writable: true}
      - {name: input, address: 30101}
      - {name: coil, address: 00003, writable: true}
      - {name: coil4, address: 00004, writable: true}
      - {name: contact, address: 10006}
      - {name: nothing, address: 40302}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, _ := finish(t, "doctor", "--config", config); !strings.Contains(out, "setpoint 21.5, f32 -21.3") {
		t.Errorf("doctor: %s%s", out, errs)
	}
	agent := start(t, binary.Path, "run", "--config", config)
	awaitListener(t, broker)
	watcher := subscribe(t, broker)
	state := func(what string, ok func(values map[string]any) bool) map[string]any {
		t.Helper()
		var values map[string]any
		watcher.await(what, func(line string) bool {
			payload, is := strings.CutPrefix(line, "plc/state ")
			values = nil
			return is && json.Unmarshal([]byte(payload), &values) == nil && ok(values)
		})
		delete(values, "utc_timestamp")
		return values
	}
	works := func(values map[string]any) bool { return values["status"] == "success" }
	want := map[string]any{
		"setpoint": 21.5, "f32": -21.3, "i32": -70000.0, "u32": 4e9, "f64": 1013.25, "i64": -5e9,
		"f32_low": -21.3, "i32_low": -70000.0, "u32_low": 4e9, "f64_low": 1013.25, "i64_low": -5e9,
		"flag": true, "unset": false, "text": "pymodbus", "input": 10000.0, "coil": true, "coil4": false, "contact": true,
		"nothing": nil, // pymodbus has 300 registers: that request is refused, and the others are not
		"status":  "success",
	}
	if got := state("first reading", works); !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%v, want\n%v", got, want)
	}
	watcher.await("a quantity without a value", func(line string) bool {
		return strings.HasPrefix(line, `plc/nothing {`) && strings.Contains(line, `"value": null, "origin": "plc nothing", "status": "fail"`)
	})
	publish(t, broker, "plc/set", `{"setpoint": 7.5, "f32": 0.1, "i32": 2147483647, "i32_low": -2, "f64": -1e300, "flag": false, "text": "ours", "coil": false, "coil4": true}`)
	for name, v := range map[string]any{"setpoint": 7.5, "f32": 0.1, "i32": 2147483647.0, "i32_low": -2.0, "f64": -1e300, "flag": false, "text": "ours", "coil": false, "coil4": true} {
		want[name] = v
	}
	if got := state("what was written", func(values map[string]any) bool { return works(values) && values["coil4"] == true }); !reflect.DeepEqual(got, want) {
		t.Errorf("after writing\n%v, want\n%v", got, want)
	}
	publish(t, broker, "plc/set", `{"setpoint": 36, "coil": true}`)
	agent.log("not from 5 to 35")

	server.cmd.Process.Kill()
	<-server.ended
	for name, v := range state("a reading without the server", func(values map[string]any) bool { return values["status"] == "fail" }) {
		if v != nil && name != "status" {
			t.Errorf("without the server, %s is %v", name, v)
		}
	}
	serve()
	state("a reading of the new server", func(values map[string]any) bool { return works(values) && values["setpoint"] == 21.5 })
	if code, _ := agent.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// polled is a value in mbpoll's output.
var polled = regexp.MustCompile(`(?m)^\[(\d+)\]:\s+(\S+)`)

func TestSimulatedModbusWithMbpoll(t *testing.T) {
	mbpoll := binary.Need(t, "mbpoll")
	board := mock.New(mock.Options{})
	t.Cleanup(func() { board.Close() })

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			device, err := board.Dial(t.Context(), "mock:502")
			if err != nil {
				client.Close()
				return
			}
			join(client, device)
		}
	}()
	other, node := pseudoTerminal(t)
	device, err := board.OpenSerial("mock", hw.SerialOpts{Speed: 19200, StopBits: 1})
	if err != nil {
		t.Fatal(err)
	}
	join(other, device)

	for name, way := range map[string]struct {
		args   []string
		target string
		device *mock.Modbus
	}{
		"TCP": {[]string{"-m", "tcp", "-p", fmt.Sprint(l.Addr().(*net.TCPAddr).Port)}, "127.0.0.1", board.Modbus("mock:502")},
		"RTU": {[]string{"-m", "rtu", "-b", "19200", "-P", "none"}, node, board.Modbus("mock")},
	} {
		t.Run(name, func(t *testing.T) {
			poll := func(args string, write ...string) map[string]string {
				t.Helper()
				all := append(append(append(append([]string{}, way.args...), "-1", "-0", "-o", "5", "-a", "9"), strings.Fields(args)...), way.target)
				out, err := exec.CommandContext(t.Context(), mbpoll, append(all, write...)...).CombinedOutput()
				if err != nil {
					t.Fatalf("mbpoll %s: %v\n%s", args, err, out)
				}
				values := map[string]string{}
				for _, m := range polled.FindAllStringSubmatch(string(out), -1) {
					values[m[1]] = m[2]
				}
				if len(write) == 0 && len(values) == 0 {
					t.Fatalf("mbpoll %s read nothing:\n%s", args, out)
				}
				return values
			}
			compare := func(args string, want map[string]string) {
				t.Helper()
				if got := poll(args); !reflect.DeepEqual(got, want) {
					t.Errorf("mbpoll %s: %v, want %v", args, got, want)
				}
			}
			compare("-t 4 -r 0 -c 3", map[string]string{"0": "215", "1": "1", "2": "2"})
			compare("-t 4:hex -r 10 -c 2", map[string]string{"10": "0x5349", "11": "0x4D55"}) // SIMU
			compare("-t 3 -r 100 -c 2", map[string]string{"100": "100", "101": "101"})
			compare("-t 0 -r 20 -c 2", map[string]string{"20": "0", "21": "0"})
			if v := poll("-t 3:float -B -r 2")["2"]; len(v) < 3 || v < "900" && v[0] != '1' {
				t.Errorf("the pressure is %s hPa", v)
			}
			poll("-t 1 -r 0 -c 16")
			poll("-t 4 -r 100", "1234")
			poll("-t 4 -r 200", "1", "2", "65535")
			poll("-t 0 -r 20", "1")
			poll("-t 0 -r 30", "1", "0", "1")
			if d := way.device; d.Holding(9, 100) != 1234 || d.Holding(9, 202) != 65535 || !d.Coil(9, 20) || !d.Coil(9, 30) || d.Coil(9, 31) || !d.Coil(9, 32) {
				t.Error("what mbpoll wrote is not there")
			}
			compare("-t 4 -r 200 -c 3", map[string]string{"200": "1", "201": "2", "202": "65535"})
		})
	}
}
