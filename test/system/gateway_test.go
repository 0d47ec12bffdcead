//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
	broker "pithings/test/mosquitto"
)

// scripts are those of Device Supervisor's manual, as users copy them.
const scripts = "../../gateway/script/testdata/scripts"

// gatewayFile writes a configuration with a gateway whose device S7-1200 has the values of the
// manual. The rest is that of the section gateway.
func gatewayFile(t *testing.T, port int, variables, rest string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"vars_upload_test.py", "vars_upload_awsiot.py"} {
		text, err := os.ReadFile(filepath.Join(scripts, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(folder, "gateway.yaml")
	text := fmt.Sprintf(`mqtt: {endpoint: "mqtt://127.0.0.1:%d", client_id: gw}
http: {listen: "127.0.0.1:%d"}
gateway:
  devices: [{name: S7-1200, protocol: ISO-on-TCP}]
  groups: [{name: default, polling: 200ms}]
  variables:
    - {device: S7-1200, name: Test1, expression: "False"}
    - {device: S7-1200, name: Test2, expression: "12"}
%s%s`, port, freePort(t), variables, rest)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What the manual of Device Supervisor shows: both scripts publish the values on awsiot/test at
// QoS 1, and a message on awsiot/send reaches the subscribe script and its log.
func TestGatewayWithTheManualsScripts(t *testing.T) {
	for form, rule := range map[string]string{
		"return":         "function: vars_upload_test, script: vars_upload_test.py",
		"awsiot_publish": "function: vars_upload_test, script: vars_upload_awsiot.py",
	} {
		t.Run(form, func(t *testing.T) {
			subscriber := binary.Need(t, "mosquitto_sub")
			port := mosquitto(t)
			file := gatewayFile(t, port, "", fmt.Sprintf(`  publish:
    - {name: up, topic: %s, qos: 1, groups: [default], %s}
  subscribe:
    - {name: down, topic: awsiot/send, qos: 1, function: ctl_test, script: vars_upload_awsiot.py}
`, map[string]string{"return": "awsiot/test", "awsiot_publish": "unused"}[form], rule))
			received := start(t, subscriber, "-p", strconv.Itoa(port), "-q", "1", "-t", "#", "-F", "%q %t %p")
			agent := start(t, binary.Path, "run", "--mock", file)
			line := received.line("1 awsiot/test ")
			stamp := regexp.MustCompile(`"timestamp": ([0-9.]+),`).FindStringSubmatch(line)
			if stamp == nil {
				t.Fatalf("no timestamp: %s", line)
			}
			// Python prints the shortest digits that are the same float.
			at, err := strconv.ParseFloat(stamp[1], 64)
			if short := strconv.FormatFloat(at, 'f', -1, 64); err != nil || short != strings.TrimSuffix(stamp[1], ".0") {
				t.Errorf("timestamp %s is printed otherwise than %s", stamp[1], short)
			}
			if age := time.Since(time.UnixMicro(int64(at * 1e6))); age < -time.Second || age > binary.Patience {
				t.Errorf("timestamp %s is %v old", stamp[1], age)
			}
			const want = `1 awsiot/test [{"Device": "S7-1200", "timestamp": 1589538347.560471, "Data": {"Test1": false, "Test2": 12}}]`
			if got := strings.Replace(line, stamp[1], "1589538347.560471", 1); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			agent.log(`msg="[{'Device': 'S7-1200', 'timestamp': ` + stamp[1] + `, 'Data': {'Test1': False, 'Test2': 12}}]" service=gateway rule=up`)

			sender := start(t, binary.Need(t, "mosquitto_pub"), "-p", strconv.Itoa(port), "-q", "1", "-t", "awsiot/send", "-m", `{"set": 1}`)
			<-sender.ended
			agent.log(`msg=awsiot/send service=gateway rule=down`)
			agent.log(`msg="{\"set\": 1}" service=gateway rule=down`)
			if code, _ := agent.interrupt(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// A broker that is away, and a gateway that is killed meanwhile: all readings that it had
// collected arrive, in the order of their collection, and an alarm that it had kept is not
// triggered once more.
func TestGatewayKilledWithoutBroker(t *testing.T) {
	b := broker.Start(t)
	file := gatewayFile(t, b.Port, `    - {device: S7-1200, name: Wave, expression: "int(time.time()) % 2"}
`, `  alarms:
    - {name: Steady, device: S7-1200, variable: Test2, condition1: Eq, operand1: "12", level: 3, content: twelve}
    - {name: Quiet, device: S7-1200, variable: Test2, condition1: Gt, operand1: "12"}
    - {name: Flapping, device: S7-1200, variable: Wave, condition1: Gt, operand1: "0", content: up and down}
  publish:
    - {name: up, topic: readings, qos: 1, groups: [default]}
    - {name: alarms, topic: alarms, qos: 1, groups: [alarm]}
`)
	state := t.TempDir()
	run := func() *process { return start(t, binary.Path, "run", "--mock", "--state", state, file) }
	cli := func(args ...string) string {
		t.Helper()
		p := start(t, binary.Path, append(args, "--state", state)...)
		<-p.ended
		return strings.Join(p.lines, "\n")
	}
	// collected is how many readings the rule has handed over in this run.
	collected := func() (n int) {
		var rules []struct {
			Name      string
			Published int
		}
		_ = json.Unmarshal([]byte(cli("gateway", "rules", "--json")), &rules)
		for _, r := range rules {
			if r.Name == "up" {
				n = r.Published
			}
		}
		return n
	}
	reach := func(want int) int {
		t.Helper()
		for limit := time.Now().Add(binary.Patience); ; {
			if n := collected(); n >= want {
				return n
			}
			if time.Now().After(limit) {
				t.Fatalf("%d readings were never collected", want)
			}
		}
	}

	agent := run()
	b.Wait("a reading and an alarm", func(all []broker.Message) bool {
		return slices.ContainsFunc(all, func(m broker.Message) bool { return m.Topic == "readings" }) &&
			slices.ContainsFunc(all, func(m broker.Message) bool { return strings.Contains(m.Payload, "Steady") })
	})
	if got := cli("gateway", "acknowledge", "Steady"); !strings.Contains(got, "acknowledged") { // which is saved at once
		t.Errorf("acknowledged: %s", got)
	}
	nothing := start(t, binary.Path, "gateway", "acknowledge", "Quiet", "--state", state)
	<-nothing.ended
	nothing.log("alarm Quiet is not triggered: there is nothing to acknowledge")
	b.Down()
	first := reach(collected() + 10)
	if err := agent.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-agent.ended
	agent = run()
	second := reach(10)
	if got := cli("gateway", "alarms"); !regexp.MustCompile(`Steady +3 +acknowledged`).MatchString(got) {
		t.Errorf("after the kill, the alarms are\n%s", got)
	}
	b.Up()
	times := func(all []broker.Message, topic string) (stamps []float64) {
		for _, m := range all {
			var one struct{ Timestamp float64 }
			if m.Topic == topic && json.Unmarshal([]byte(m.Payload), &one) == nil {
				stamps = append(stamps, one.Timestamp)
			}
		}
		return stamps
	}
	distinct := func(stamps []float64) int {
		sorted := slices.Sorted(slices.Values(stamps))
		return len(slices.Compact(sorted))
	}
	b.Wait("all readings of both runs", func(all []broker.Message) bool { return distinct(times(all, "readings")) >= first+second })
	all := b.Messages()
	for _, topic := range []string{"readings", "alarms"} {
		// The broker may get again what it had when it went away; each first arrival counts.
		latest := 0.0
		seen := map[float64]bool{}
		for _, at := range times(all, topic) {
			if at < latest && !seen[at] {
				t.Errorf("%s: %f arrives after %f", topic, at, latest)
			}
			seen[at], latest = true, max(latest, at)
		}
	}
	steady := map[string]bool{}
	for _, m := range all {
		if m.Topic == "alarms" && strings.Contains(m.Payload, "Steady") {
			steady[m.Payload] = true
		}
	}
	if len(steady) != 1 {
		t.Errorf("the steady alarm was published %d times: %v", len(steady), steady)
	}
	if n := distinct(times(all, "alarms")); n < 3 {
		t.Errorf("%d alarms arrived", n)
	}
	if code, _ := agent.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
