//go:build linux

package modbus

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pithings/hw/mock"
	"pithings/sensors/modbus"
	"pithings/test/binary"
)

const (
	devices   = 20
	registers = 100
	span      = 10 * time.Second // of a measurement
	limit     = 5.0              // percent of a core, for the driver, and for the agent
)

// serverEnv makes this program the devices.
const serverEnv = "PITHINGS_BENCH_MODBUS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		serve()
		return
	}
	binary.Main(m)
}

// serve is 20 simulated devices behind TCP ports, which it prints, until its input ends.
func serve() {
	board := mock.New(mock.Options{})
	for i := range devices {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Addr())
		go func() {
			for {
				client, err := l.Accept()
				if err != nil {
					return
				}
				device, err := board.Dial(context.Background(), fmt.Sprintf("mock:%d", i))
				if err != nil {
					panic(err)
				}
				go func() { _, _ = io.Copy(device, client); device.Close() }()
				go func() { _, _ = io.Copy(client, device); client.Close() }()
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// fleet starts the devices and returns their addresses.
func fleet(b *testing.B) (addresses []string) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); len(addresses) < devices; {
		if !lines.Scan() {
			b.Fatal("the devices have ended")
		}
		addresses = append(addresses, lines.Text())
	}
	return addresses
}

// network is a board with a network only.
type network struct{ *mock.Board }

func (network) Dial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// BenchmarkDriver reads the devices in this process.
func BenchmarkDriver(b *testing.B) {
	addresses := fleet(b)
	var list []modbus.Register
	for i := range registers {
		r := modbus.Register{Name: fmt.Sprintf("r%d", i), Address: modbus.Address{Table: modbus.Holding, Number: uint16(1000 + i)},
			Type: modbus.Auto, Order: modbus.ABCD, Bit: -1, Gain: 0.1, Precision: -1}
		if err := r.Check(); err != nil {
			b.Fatal(err)
		}
		list = append(list, r)
	}
	var lines modbus.Lines
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), span)
		before, begin := usage(b), time.Now()
		var wait sync.WaitGroup
		var mu sync.Mutex
		read := 0
		for _, address := range addresses {
			wait.Go(func() {
				d := modbus.New(&lines, network{}, modbus.Port{Device: "tcp://" + address}, modbus.DefaultOpts, list)
				defer d.Close()
				if err := d.Open(ctx); err != nil {
					b.Error(err)
					return
				}
				tick := time.NewTicker(time.Second)
				defer tick.Stop()
				for ctx.Err() == nil {
					values, err := d.Read(ctx)
					if err != nil || values[registers-1] != 109.9 {
						b.Errorf("%v, %v", values, err)
						return
					}
					mu.Lock()
					read++
					mu.Unlock()
					select {
					case <-tick.C:
					case <-ctx.Done():
					}
				}
			})
		}
		wait.Wait()
		cancel()
		report(b, usage(b)-before, time.Since(begin), true)
		b.ReportMetric(float64(read), "readings")
	}
}

// report gives the processor time in percent of a core, and fails if it is more than allowed.
func report(b *testing.B, used, took time.Duration, limited bool) {
	b.Helper()
	percent := 100 * used.Seconds() / took.Seconds()
	b.ReportMetric(percent, "%core")
	if limited && percent > limit && runtime.GOARCH == "amd64" {
		b.Errorf("%.1f %% of a core, and %.0f %% are allowed", percent, limit)
	}
}

// usage is the processor time of this process.
func usage(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkAgent runs the program with 20 things. A thing publishes one message at every
// interval, and with each one more for every quantity.
func BenchmarkAgent(b *testing.B) {
	addresses := fleet(b)
	for _, way := range []string{"default", "each"} {
		b.Run(way, func(b *testing.B) {
			config := filepath.Join(b.TempDir(), "fleet.yaml")
			if err := os.WriteFile(config, []byte(fleetConfig(addresses, way == "each")), 0o600); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				cmd := exec.Command(binary.Path, "run", "--config", config, "--state", b.TempDir())
				var log strings.Builder
				cmd.Stderr = &log
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				time.Sleep(3 * time.Second) // the start is over
				before, begin := usageOf(b, cmd.Process.Pid), time.Now()
				time.Sleep(span)
				used, took := usageOf(b, cmd.Process.Pid)-before, time.Since(begin)
				_ = cmd.Process.Signal(os.Interrupt)
				if err := cmd.Wait(); err != nil || strings.Contains(log.String(), "does not work") {
					b.Fatalf("%v\n%s", err, log.String())
				}
				report(b, used, took, way == "default")
			}
		})
	}
}

// fleetConfig has a thing for each device. They share one list of registers.
func fleetConfig(addresses []string, each bool) string {
	text := "broker: {listen: \"127.0.0.1:0\"}\nhttp: {listen: \"127.0.0.1:0\"}\nthings:\n"
	for i, address := range addresses {
		text += fmt.Sprintf("  - name: meter%d\n    type: modbus\n    device: \"tcp://%s\"\n    interval: 1s\n    each: %v\n", i, address, each)
		if i > 0 {
			text += "    registers: *registers\n"
			continue
		}
		text += "    registers: &registers\n"
		for r := range registers {
			text += fmt.Sprintf("      - {name: r%d, address: %d, gain: 0.1, unit: V}\n", r, 41001+r)
		}
	}
	return text
}

// usageOf is the processor time of another process (proc(5), stat: utime and stime).
func usageOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on
	const hertz = 100
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / hertz
}
