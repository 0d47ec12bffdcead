//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// sizeOfFleet is what a fleet has to stand: 10,000 devices, or fewer where the broker may not have so many
// open files.
func sizeOfFleet(t *testing.T) int {
	t.Helper()
	const whole, spare, least = 10000, 200, 500
	n := binary.AllowFiles(t, whole+spare) - spare
	if n < least {
		t.Fatalf("the limit of open files lets in %d devices, and %d are too few: raise it (ulimit -Hn)", n, least)
	}
	if n < whole {
		t.Logf("%d devices instead of %d: the limit of open files", n, whole)
	}
	return n
}

// fleetReport is what fleet --json prints, as far as it is looked at.
type fleetReport struct {
	Connected    int               `json:"connected"`
	Sessions     uint64            `json:"sessions"`
	Lost         uint64            `json:"lost"`
	Refused      uint64            `json:"refusedSubscriptions"`
	Acked        uint64            `json:"acked"`
	Received     uint64            `json:"received"`
	ConnectedFor float64           `json:"connectedSeconds"`
	Errors       map[string]uint64 `json:"errors"`
}

func (p *process) fleetReport() (r fleetReport) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := json.Unmarshal([]byte(strings.Join(p.lines, "\n")), &r); err != nil {
		p.t.Fatalf("%v: %s", err, strings.Join(p.lines, "\n"))
	}
	return r
}

// arrivals are the connections in mosquitto's log, by second.
func arrivals(log string) (all int, most int) {
	each := map[string]int{}
	for line := range strings.Lines(log) {
		if at, rest, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(rest, "New client connected") && strings.Contains(rest, " as dev-") {
			all++
			each[at]++
			most = max(most, each[at])
		}
	}
	return all, most
}

// A broker that dies under 10,000 devices is found again, no faster than the ramp allows, and
// Ctrl-C ends them all within 5 s and without a will.
func TestFleetOutlivesItsBroker(t *testing.T) {
	const ramp = 1000
	devices, port := sizeOfFleet(t), freePort(t)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nconnection_messages true\nlog_type notice\nlog_dest stderr\nlog_timestamp_format %%s\n", port)
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := func() *process {
		p := start(t, binary.Need(t, "mosquitto"), "-c", conf)
		awaitListener(t, port)
		return p
	}
	// Twice what the ramp and the longest pause of the devices amount to.
	limit := 2 * (time.Duration(devices)*time.Second/ramp + 32*time.Second)
	full := func(p *process) (most int) {
		t.Helper()
		for deadline := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
			all, most := arrivals(p.logged())
			if all >= devices {
				return most
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d devices are connected", all, devices)
			}
		}
	}
	first := broker()
	fleet := start(t, binary.Path, "fleet", "-n", fmt.Sprint(devices), "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--types", "telemetry", "--ramp", fmt.Sprint(ramp), "--json")
	full(first)
	first.cmd.Process.Kill()
	<-first.ended
	second := broker()
	if most := full(second); most > ramp*12/10 {
		t.Errorf("%d devices connected in a second; the ramp is %d", most, ramp)
	}
	wills := start(t, binary.Need(t, "stdbuf"), "-oL", binary.Need(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-v", "-d", "-t", "cmd/+/lwt", "-t", "done")
	wills.await("SUBACK", func(l string) bool { return strings.Contains(l, "SUBACK") })
	code, took := fleet.interrupt()
	if code != 0 || took > 5*time.Second {
		t.Errorf("exit code %d after %v", code, took)
	}
	publish(t, port, "done", "1")
	wills.await("the message behind all wills", func(l string) bool {
		if strings.HasPrefix(l, "cmd/") {
			t.Errorf("%s", l)
		}
		return l == "done 1"
	})
	// Those that the kill came upon between CONNECT and its answer had no session to lose.
	const opening = 64
	n := uint64(devices)
	if r := fleet.fleetReport(); r.Connected != devices || r.Lost > n || r.Lost < n-opening || r.Sessions < 2*n-opening || r.Acked == 0 {
		t.Errorf("%+v", r)
	}
}

// identities makes those of so many devices, and a mosquitto that knows them by the files of provision
// local. monitor is a subscriber to a filter. others have an identity, too, and what they may do as lines
// of the access list, in which engine stands for the name.
func identities(t *testing.T, devices int, filter, lines string, others ...string) (dir string, port int, monitor *process) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "pki")
	port = freePort(t)
	for _, name := range others {
		provision(t, "local", "--dir", dir, "--name", name, "-e", fmt.Sprintf("mqtts://localhost:%d", port))
	}
	provision(t, "local", "--dir", dir, "--name", "monitor", "-e", fmt.Sprintf("mqtts://localhost:%d", port))
	provision(t, "local", "--dir", dir, "--count", fmt.Sprint(devices), "-e", fmt.Sprintf("mqtts://localhost:%d", port))
	conf, err := os.ReadFile(filepath.Join(dir, "mosquitto.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(conf), "listener 8883\n", fmt.Sprintf("listener %d 127.0.0.1\n", port), 1)
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	acl := filepath.Join(dir, "acl")
	list, err := os.ReadFile(acl)
	if err != nil {
		t.Fatal(err)
	}
	access := string(list) + "user monitor\ntopic read #\n"
	for _, name := range others {
		access += strings.ReplaceAll(lines, "engine", name)
	}
	for path, text := range map[string]string{acl: access, filepath.Join(dir, "test.conf"): text} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, binary.Need(t, "mosquitto"), "-c", filepath.Join(dir, "test.conf"))
	awaitListener(t, port)
	own := filepath.Join(dir, "devices", "monitor")
	monitor = start(t, binary.Need(t, "stdbuf"), "-oL", binary.Need(t, "mosquitto_sub"), "-h", "localhost", "-p", fmt.Sprint(port), "-i", "monitor", "-v", "-d", "-t", filter,
		"--cafile", filepath.Join(own, "ca.pem"), "--cert", filepath.Join(own, "device.crt"), "--key", filepath.Join(own, "device.key"))
	monitor.await("SUBACK", func(l string) bool { return strings.Contains(l, "SUBACK") })
	return dir, port, monitor
}

// Devices with the identities of provision local are let in by its mosquitto.conf, to their own
// topics.
func TestFleetWithIdentities(t *testing.T) {
	t.Parallel()
	const devices = 20
	dir, _, monitor := identities(t, devices, "dt/#", "")
	fleet := start(t, binary.Path, "fleet", "-n", fmt.Sprint(devices), "--identities", dir, "--types", "generic,bulb", "--interval", "1s", "--json")
	seen := map[string]bool{}
	monitor.await("the telemetry of all", func(l string) bool {
		if topic, value, _ := strings.Cut(l, " "); strings.HasPrefix(value, `{"temp": `) {
			seen[topic] = true
		}
		return len(seen) == devices
	})
	for i := range devices {
		if topic := fmt.Sprintf("dt/ac/company1/area1/dev-%04d/temp", i+1); !seen[topic] {
			t.Errorf("nothing on %s", topic)
		}
	}
	if code, _ := fleet.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if r := fleet.fleetReport(); r.Connected != devices || r.Lost != 0 || r.Refused != 0 || r.Acked < devices || len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
}

// Pis with identities, under TLS, run their flows within the topics that provision local lets them
// into.
func TestPisWithIdentities(t *testing.T) {
	t.Parallel()
	const devices = 10
	dir, _, monitor := identities(t, devices, "#", "")
	fleet := start(t, binary.Path, "fleet", "-n", fmt.Sprint(devices), "--identities", dir, "--types", "pi", "--flows", "local", "--motion", "1s", "--json")
	seen := map[string]bool{}
	monitor.await("a picture on each screen", func(l string) bool {
		if topic, _, _ := strings.Cut(l, " "); strings.HasSuffix(topic, "/TG_Screen/display") {
			seen[topic] = true
		}
		return len(seen) == devices
	})
	if code, _ := fleet.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	ended := map[string]bool{}
	monitor.await("the end of each", func(l string) bool {
		if topic, offline := strings.CutSuffix(l, "/status offline"); offline {
			ended[topic] = true
		}
		return len(ended) == devices
	})
	if r := fleet.piReport(); r.Lost != 0 || len(r.Errors) > 0 || r.Pis.Shown < devices-1 || r.Pis.Flows.Failed > 0 {
		t.Errorf("%+v", r)
	}
}
