//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// scenarioReport is what fleet --scenario --json prints, as far as it is looked at.
type scenarioReport struct {
	Connected int               `json:"connected"`
	Devices   int               `json:"devices"`
	Dropped   uint64            `json:"dropped"`
	Errors    map[string]uint64 `json:"errors"`
	Scenario  struct {
		Phases []struct {
			Name      string            `json:"name"`
			Connected int               `json:"connected"`
			Peak      float64           `json:"attemptsPerSecond"`
			Sessions  uint64            `json:"sessions"`
			Acked     uint64            `json:"acked"`
			Errors    map[string]uint64 `json:"errors"`
		} `json:"phases"`
		Faults []struct {
			Do      string  `json:"do"`
			Devices int     `json:"devices"`
			LetIn   *uint64 `json:"letIn"`
		} `json:"faults"`
		Bystanders, Hit struct {
			Devices                  int
			Published, Waiting, Lost uint64
		}
	} `json:"scenario"`
}

// spans are the times in the scenarios that are built in, and what stands for them here.
var spans = map[string]string{"2m": "12s", "1m": "6s", "60s": "6s", "30s": "3s", "10s": "1s", "5s": "1s"}

// shortened is a scenario that is built in, in a tenth of its time.
func shortened(t *testing.T, name string) string {
	t.Helper()
	text, err := exec.Command(binary.Path, "fleet", "scenario", "show", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	short := regexp.MustCompile(`([ +])([0-9]+[ms])\b`).ReplaceAllStringFunc(string(text), func(s string) string {
		if s[0] != '#' && spans[s[1:]] == "" {
			t.Fatalf("%s: nothing stands for %s", name, s)
		}
		return s[:1] + spans[s[1:]]
	})
	file := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(file, []byte(short), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// rehearse runs a scenario to its end.
func rehearse(t *testing.T, args ...string) (r scenarioReport) {
	t.Helper()
	p := start(t, binary.Path, append([]string{"fleet", "--json", "--scenario"}, args...)...)
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := json.Unmarshal([]byte(strings.Join(p.lines, "\n")), &r); err != nil || p.cmd.ProcessState.ExitCode() != 0 {
		t.Fatalf("exit code %d, %v", p.cmd.ProcessState.ExitCode(), err)
	}
	return r
}

// logging starts a mosquitto whose log has the second of each connection.
func logging(t *testing.T, port int) *process {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nconnection_messages true\nlog_type notice\nlog_dest stderr\nlog_timestamp_format %%s\nmax_queued_messages 0\n", port)
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, binary.Need(t, "mosquitto"), "-c", conf)
	awaitListener(t, port)
	return p
}

// In a reconnect storm the broker sees no more connections in a second than the ramp allows.
func TestMorningReconnectStorm(t *testing.T) {
	t.Parallel()
	const ramp = 500
	port := freePort(t)
	broker := logging(t, port)
	r := rehearse(t, shortened(t, "morning-reconnect-storm"), "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--types", "telemetry")
	all, most := arrivals(broker.logged())
	if most > ramp*12/10 || all < 2000 {
		t.Errorf("the broker saw %d connections, %d of them in one second; the ramp is %d", all, most, ramp)
	}
	if r.Devices != 1000 || r.Connected != 1000 || len(r.Errors) > 0 || len(r.Scenario.Phases) != 4 {
		t.Fatalf("%+v", r)
	}
	sessions := uint64(0)
	for _, p := range r.Scenario.Phases {
		if sessions += p.Sessions; p.Peak > ramp*12/10 {
			t.Errorf("%v connections were begun in a second of %s", p.Peak, p.Name)
		}
	}
	if night := r.Scenario.Phases[0]; night.Connected != 200 || night.Sessions != 200 || sessions != 2000 {
		t.Errorf("%d sessions in all; %+v", sessions, r.Scenario.Phases)
	}
}

// Devices whose certificates have ended are refused by a real broker, and come back with new ones; no
// file of the authority is changed.
func TestCertificateExpiry(t *testing.T) {
	t.Parallel()
	const devices, ending = 30, 3
	dir, port := filepath.Join(t.TempDir(), "pki"), freePort(t)
	provision(t, "local", "--dir", dir, "--count", fmt.Sprint(devices), "-e", fmt.Sprintf("mqtts://localhost:%d", port))
	conf, err := os.ReadFile(filepath.Join(dir, "mosquitto.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(conf), "listener 8883\n", fmt.Sprintf("listener %d 127.0.0.1\n", port), 1) + "log_dest stderr\n"
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "test.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := start(t, binary.Need(t, "mosquitto"), "-c", filepath.Join(dir, "test.conf"))
	awaitListener(t, port)
	before := contents(t, filepath.Join(dir, "devices"))
	r := rehearse(t, shortened(t, "certificate-expiry"), "-n", fmt.Sprint(devices), "--identities", dir, "--types", "telemetry")
	if contents(t, filepath.Join(dir, "devices")) != before {
		t.Error("files of the identities are changed")
	}
	if len(r.Scenario.Phases) != 3 || len(r.Scenario.Faults) != 1 {
		t.Fatalf("%+v", r)
	}
	valid, expired, renewed := r.Scenario.Phases[0], r.Scenario.Phases[1], r.Scenario.Phases[2]
	f := r.Scenario.Faults[0]
	if f.Devices != ending || f.LetIn == nil || *f.LetIn != 0 {
		t.Errorf("%+v", f)
	}
	// TLS 1.3 refuses a certificate behind the client's handshake: the alert may be lost with the connection.
	refused, said := uint64(0), false
	for why, n := range expired.Errors {
		refused += n
		said = said || strings.Contains(why, "expired certificate")
	}
	if valid.Connected != devices || len(valid.Errors) > 0 || expired.Connected != devices-ending || refused < ending || !said || renewed.Connected != devices || renewed.Sessions != ending || len(renewed.Errors) > 0 {
		t.Errorf("%+v", r.Scenario.Phases)
	}
	if b := r.Scenario.Bystanders; b.Devices != devices-ending || b.Lost != 0 || b.Published == 0 {
		t.Errorf("%+v", b)
	}
	if log := broker.logged(); !strings.Contains(log, "certificate verify failed") {
		t.Errorf("the broker's log has nothing of certificates: %s", log)
	}
}

// contents are all files of a folder with what is in them.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %q\n", path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// subscriber prints what a broker delivers, until done is called.
func subscriber(t *testing.T, port int) *process {
	t.Helper()
	p := start(t, binary.Need(t, "stdbuf"), "-oL", binary.Need(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-q", "1", "-i", "onlooker", "-d", "-v", "-t", "#")
	p.await("SUBACK", func(l string) bool { return strings.Contains(l, "SUBACK") })
	return p
}

// heard are the messages of each device that a subscriber has got.
func heard(t *testing.T, p *process, port int) map[string][]string {
	t.Helper()
	publish(t, port, "done", "1")
	p.await("the message behind all", func(l string) bool { return l == "done 1" })
	all := map[string][]string{}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if topic, payload, ok := strings.Cut(l, " "); ok && (strings.HasPrefix(topic, "dt/ac/") || strings.HasPrefix(topic, "cmd/dev")) {
			device := regexp.MustCompile(`dev-[0-9]+`).FindString(topic)
			all[device] = append(all[device], topic+" "+payload)
		}
	}
	return all
}

// While one device in a hundred misbehaves, all messages of the others arrive, each with a PUBACK.
func TestOneBadFirmware(t *testing.T) {
	t.Parallel()
	const devices, bad = 200, 2
	port := freePort(t)
	logging(t, port)
	onlooker := subscriber(t, port)
	r := rehearse(t, shortened(t, "one-bad-firmware"), "-n", fmt.Sprint(devices), "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--types", "telemetry")
	malformed, flooding, sent := map[string]bool{}, map[string]bool{}, uint64(0)
	for device, all := range heard(t, onlooker, port) {
		broken := slices.ContainsFunc(all, func(m string) bool { return !json.Valid([]byte(m[strings.Index(m, " ")+1:])) })
		if broken {
			malformed[device] = true
		} else {
			sent += uint64(len(all))
		}
		if len(all) > 100 {
			flooding[device] = true
		}
	}
	if len(malformed) != bad || len(flooding) != bad {
		t.Errorf("malformed of %v, a flood of %v; want %d devices", malformed, flooding, bad)
	}
	b := r.Scenario.Bystanders
	if b.Devices != devices-bad || b.Lost != 0 || b.Published != sent || r.Scenario.Hit.Devices != bad || r.Dropped != 0 || len(r.Errors) > 0 {
		t.Errorf("%d messages of the others arrived; %+v", sent, r)
	}
	// A PUBACK that takes more than an interval is one of a broker that has other things to do.
	if b.Waiting > b.Published/10 {
		t.Errorf("%d of %d messages found an earlier one without a PUBACK", b.Waiting, b.Published)
	}
}

const twice = `name: twice
interval: 200ms
ramp: 100/s
phases:
  - {name: few, for: 2s, connected: 50%}
  - {name: all, for: 3s, interval: 100ms}
faults:
  - {at: 1s, do: malformed, share: 20%, for: 2s, group: a}
  - {at: all, do: flood, rate: 30/s, share: 10%, for: 1s}
  - {at: all+1s, do: stuck, devices: 3}
  - {at: all+1s, do: wrong-topic, devices: 2, for: 500ms}
`

// A scenario that runs twice with one seed sends the same messages of each device in the same order,
// as a subscriber of a real broker gets them.
func TestScenarioTwice(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "twice.yaml")
	if err := os.WriteFile(file, []byte(twice), 0o600); err != nil {
		t.Fatal(err)
	}
	var runs [2]map[string][]string
	t.Run("both", func(t *testing.T) {
		for i := range runs {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				port := freePort(t)
				logging(t, port)
				onlooker := subscriber(t, port)
				rehearse(t, file, "-n", "40", "--seed", "11", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--types", "telemetry,bulb")
				runs[i] = heard(t, onlooker, port)
			})
		}
	})
	if len(runs[0]) != 40 || len(runs[1]) != 40 {
		t.Fatalf("%d and %d devices", len(runs[0]), len(runs[1]))
	}
	for device, one := range runs[0] {
		other := runs[1][device]
		n := min(len(one), len(other))
		if n < 10 || !slices.Equal(one[:n], other[:n]) {
			t.Errorf("%s:\n%q\n%q", device, one, other)
		}
	}
}

// Ctrl-C ends 10,000 devices within 5 s in the midst of a scenario, too: while they flood, break
// and come back.
func TestScenarioIsInterrupted(t *testing.T) {
	devices, port := sizeOfFleet(t), freePort(t)
	broker := logging(t, port)
	file := filepath.Join(t.TempDir(), "busy.yaml")
	if err := os.WriteFile(file, []byte(`name: busy
phases: [{name: all, for: 24h}]
faults:
  - {at: 2s, do: break, share: 20%, every: 2s, for: 10m}
  - {at: 1s, do: flood, rate: 2/s, share: 20%}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	fleet := start(t, binary.Path, "fleet", "--scenario", file, "-n", fmt.Sprint(devices), "--ramp", "2000", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--types", "telemetry", "--json")
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if all, _ := arrivals(broker.logged()); all >= devices*5/4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the devices do not come back")
		}
	}
	code, took := fleet.interrupt()
	if code != 0 || took > 5*time.Second {
		t.Errorf("exit code %d after %v", code, took)
	}
	t.Logf("%d devices ended within %v", devices, took)
}
