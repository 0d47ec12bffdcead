package fleet

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
	"pithings/test/pki"
)

// The targets, at so many devices that they mean something.
const (
	targetDevices   = 10000
	targetMemory    = 60.0 // MB resident
	targetTime      = 0.5  // of the peer's processor time for a message
	targetConnects  = 2.0  // times the peer's connections in a second
	targetTLS       = 5000
	targetTLSMemory = 130.0
	targetTLSTime   = 0.8 // of the peer's processor time for a message, and for a connection
	targetDense     = 1.5 // times the peer's messages for a second of processor time
)

// bench is a broker and the two programs.
type bench struct {
	*testing.B
	addr, tls      string // of the broker, in the clear and under mutual TLS
	certs          *pki.Authority
	secure         bool // which of them is measured
	pithings, peer string
}

// result is how one program did.
type result struct {
	connects float64 // in a second
	connect  float64 // µs of processor time for a device, until its second message
	memory   float64 // MB resident
	anon     float64 // MB of that which are not the program's file
	message  float64 // µs of processor time for each
	whole    float64 // µs of processor time for each, of the whole run
}

func newBench(b *testing.B) *bench {
	b.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		b.Skip("mosquitto is not installed")
	}
	dir := b.TempDir()
	n := &bench{B: b, pithings: filepath.Join(dir, "pithings"), peer: filepath.Join(dir, "peer")}
	for path, program := range map[string]string{n.pithings: "pithings/cmd/pithings", n.peer: "pithings/test/bench/fleet/peer"} {
		if err := binary.BuildPackage(path, program); err != nil {
			b.Fatal(err)
		}
	}
	n.certs = pki.New(b)
	n.certs.Server("127.0.0.1", time.Now().Add(time.Hour))
	n.certs.Client("client", time.Now().Add(time.Hour))
	n.addr, n.tls = freeAddr(b), freeAddr(b)
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	conf := filepath.Join(dir, "mosquitto.conf")
	text := fmt.Sprintf(`persistence false
allow_anonymous true
max_inflight_messages 0
set_tcp_nodelay true
user root
listener %s 127.0.0.1
listener %s 127.0.0.1
cafile %s
certfile %s
keyfile %s
require_certificate true
`, port(n.addr), port(n.tls), n.certs.File("ca.pem"), n.certs.File("server.pem"), n.certs.File("server.key"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	binary.AllowFiles(b, devices(b)+1000) // the broker has one for each
	cmd := exec.Command("mosquitto", "-c", conf)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(binary.Patience); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", n.tls); err == nil {
			c.Close()
			return n
		} else if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}

func freeAddr(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// devices is how many there are.
func devices(b *testing.B) int {
	text := os.Getenv("FLEETBENCH_DEVICES")
	if text == "" {
		return 1000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("FLEETBENCH_DEVICES=%s is no number of devices", text)
	}
	return n
}

// fleet measures pithings fleet. Its report says how long connecting took.
func (n *bench) fleet(devices int, interval, window time.Duration) result {
	args := []string{"fleet", "-n", fmt.Sprint(devices), "-e", "mqtt://" + n.addr, "--types", "telemetry", "--ramp", "20000", "--interval", interval.String(), "--json"}
	patience := 200 * time.Microsecond
	if n.secure {
		args[4], patience = "mqtts://"+n.tls, 4*time.Millisecond
		args = append(args, "--ca", n.certs.File("ca.pem"), "--cert", n.certs.File("client.pem"), "--key", n.certs.File("client.key"))
	}
	cmd := exec.Command(n.pithings, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.Fatal(err)
	}
	// What is about to be sent is known by time: connecting, then an interval for the phases.
	return n.measure(cmd, devices, interval, window, func() { time.Sleep(time.Duration(devices)*patience + time.Second) }, func(r *result) {
		var report struct {
			ConnectedSeconds float64           `json:"connectedSeconds"`
			Errors           map[string]uint64 `json:"errors"`
			Connected        int               `json:"connected"`
			Acked            uint64            `json:"acked"`
		}
		if err := json.NewDecoder(out).Decode(&report); err != nil || report.Connected != devices || len(report.Errors) > 0 {
			n.Fatalf("%v: %+v", err, report)
		}
		r.connects = float64(devices) / report.ConnectedSeconds
		r.whole /= float64(report.Acked)
	})
}

// paho measures the peer.
func (n *bench) paho(devices int, interval, window time.Duration) result {
	args := []string{"-n", fmt.Sprint(devices), "-addr", n.addr, "-interval", interval.String()}
	if n.secure {
		args[3] = n.tls
		args = append(args, "-ca", n.certs.File("ca.pem"), "-cert", n.certs.File("client.pem"), "-key", n.certs.File("client.key"))
	}
	cmd := exec.Command(n.peer, args...)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		n.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	var seconds float64
	return n.measure(cmd, devices, interval, window, func() {
		if _, err := fmt.Fscanf(out, "connected %g\n", &seconds); err != nil {
			n.Fatal(err)
		}
	}, func(r *result) {
		r.connects = float64(devices) / seconds
		var acked float64
		if _, err := fmt.Fscanf(out, "acked %g\n", &acked); err != nil {
			n.Fatal(err)
		}
		r.whole /= acked
	})
}

// measure runs a program: until it is connected, for an interval, and for the window in which its
// processor time is taken.
func (n *bench) measure(cmd *exec.Cmd, devices int, interval, window time.Duration, connected func(), end func(*result)) result {
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		n.Fatal(err)
	}
	defer cmd.Process.Kill()
	connected()
	time.Sleep(2 * interval)
	before := n.busy(cmd.Process.Pid)
	time.Sleep(window)
	r := result{connect: float64(before.Microseconds()) / float64(devices), memory: n.status(cmd.Process.Pid, "VmRSS"), anon: n.status(cmd.Process.Pid, "RssAnon")}
	messages := float64(devices) * float64(window) / float64(interval)
	r.message = float64((n.busy(cmd.Process.Pid) - before).Microseconds()) / messages
	r.whole = float64(n.busy(cmd.Process.Pid).Microseconds())
	cmd.Process.Signal(os.Interrupt)
	end(&r)
	if err := cmd.Wait(); err != nil {
		n.Fatal(err)
	}
	return r
}

// busy is the processor time of a process: that of its threads, which is counted in nanoseconds.
func (n *bench) busy(pid int) time.Duration {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		n.Fatalf("no threads of %d: %v", pid, err)
	}
	total := time.Duration(0)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // a thread that has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			n.Fatal(err)
		}
		total += time.Duration(ns)
	}
	return total
}

// status is a size of a process in MB.
func (n *bench) status(pid int, key string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		n.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			if err != nil {
				n.Fatal(err)
			}
			return kb / 1000
		}
	}
	n.Fatalf("no %s in the status of %d", key, pid)
	return 0
}

// BenchmarkFleet is the fleet beside the peer, in the clear.
func BenchmarkFleet(b *testing.B) {
	ours, theirs, count := newBench(b).both(devices(b))
	if count >= targetDevices && (ours.memory > targetMemory || ours.message > targetTime*theirs.message || ours.connects < targetConnects*theirs.connects) {
		b.Errorf("a target is missed: %+v, the peer %+v", ours, theirs)
	}
}

// BenchmarkMutualTLS is half as many devices with one certificate.
func BenchmarkMutualTLS(b *testing.B) {
	n := newBench(b)
	n.secure = true
	ours, theirs, count := n.both(devices(b) / 2)
	if count >= targetTLS && (ours.memory > targetTLSMemory || ours.message > targetTLSTime*theirs.message || ours.connect > targetTLSTime*theirs.connect) {
		b.Errorf("a target is missed: %+v, the peer %+v", ours, theirs)
	}
}

// both measures both programs and reports what they do.
func (n *bench) both(count int) (ours, theirs result, _ int) {
	const interval, window = 10 * time.Second, 20 * time.Second
	for n.Loop() {
		ours, theirs = n.fleet(count, interval, window), n.paho(count, interval, window)
	}
	for name, r := range map[string]result{"fleet": ours, "paho": theirs} {
		n.ReportMetric(r.memory, name+"-MB")
		n.ReportMetric(r.anon*1000/float64(count), name+"-KB/device")
		n.ReportMetric(r.message, name+"-µs/msg")
		n.ReportMetric(r.connect, name+"-µs/connect")
		n.ReportMetric(r.connects, name+"-connects/s")
	}
	n.ReportMetric(ours.message/theirs.message, "msg/paho")
	n.ReportMetric(ours.connect/theirs.connect, "connect/paho")
	n.ReportMetric(ours.connects/theirs.connects, "connects/paho")
	n.ReportMetric(0, "ns/op")
	return ours, theirs, count
}

// BenchmarkDense is 20 devices with 1,000 messages a second each: time and messages are those of
// the whole run, because a busy machine may not be good for so many.
func BenchmarkDense(b *testing.B) {
	n := newBench(b)
	const count, interval, window = 20, time.Millisecond, 10 * time.Second
	var ours, theirs result
	for b.Loop() {
		ours, theirs = n.fleet(count, interval, window), n.paho(count, interval, window)
	}
	b.ReportMetric(1e6/ours.whole, "fleet-msg/cpu-s")
	b.ReportMetric(1e6/theirs.whole, "paho-msg/cpu-s")
	b.ReportMetric(theirs.whole/ours.whole, "times-paho")
	b.ReportMetric(0, "ns/op")
	if ours.whole*targetDense > theirs.whole {
		b.Errorf("%.0f messages for a second of processor time, the peer has %.0f", 1e6/ours.whole, 1e6/theirs.whole)
	}
}
