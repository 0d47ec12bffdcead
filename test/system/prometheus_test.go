//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// prometheusFiles are what users copy.
const prometheusFiles = "../../deploy/prometheus"

// seconds is a scrape in a test, in the place of half a minute.
const seconds = "1s"

// Each query of the dashboard, and each name in the alerts, finds a series in what Debian's
// Prometheus has scraped from an agent.
func TestPrometheus(t *testing.T) {
	prometheus, promtool := binary.Need(t, "prometheus"), binary.Need(t, "promtool")
	port, dir := mosquitto(t), t.TempDir()
	pi, page := freePort(t), freePort(t)
	config := filepath.Join(dir, "pithings.yaml")
	write := func(path, format string, args ...any) {
		t.Helper()
		if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(config, `mqtt: {endpoint: "mqtt://127.0.0.1:%d", client_id: hall}
http: {listen: "127.0.0.1:%d"}
things:
  - {name: TG_MS, type: motion, pin: mock}
  - {name: TG_Camera, type: camera, device: mock}
  - {name: TG_Screen, type: screen, device: mock}
  - {name: bme680, type: environment, bus: mock, interval: 1s}
flows:
  - {builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}
gateway:
  groups: [{name: default, polling: 200ms}]
  devices: [{name: hall, thing: bme680}]
  variables: [{device: hall, name: Warm, value: temperature}]
  alarms: [{name: Heat, device: hall, variable: Warm, condition1: Gt, operand1: "-50", content: it is warm}]
  publish: [{name: up, topic: readings, groups: [default], script: up.py}]
`, port, pi)
	write(filepath.Join(dir, "up.py"), "def main(values, wizard):\n    return [values['timestamp']]\n")
	agent := start(t, binary.Path, "run", "--mock", config)
	agent.log("EXECUTION_SUCCEEDED")

	rules, err := filepath.Abs(filepath.Join(prometheusFiles, "pithings.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "prometheus.yml"), `global: {scrape_interval: %s, evaluation_interval: %s}
scrape_configs: [{job_name: pithings, static_configs: [{targets: ["127.0.0.1:%d"]}]}]
rule_files: [%q]
`, seconds, seconds, pi, rules)
	for _, args := range [][]string{{"check", "config", filepath.Join(prometheusFiles, "prometheus.yml")}, {"check", "rules", rules}} {
		if p := start(t, promtool, args...); p.ends() != 0 {
			t.Errorf("promtool %s: %s %s", strings.Join(args, " "), strings.Join(p.lines, "\n"), p.logged())
		}
	}
	checkMetrics(t, promtool, pi)

	start(t, prometheus, "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", fmt.Sprintf("127.0.0.1:%d", page))
	awaitListener(t, page)
	ask := func(query string, into any) error {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/api/v1/%s", page, query))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return json.NewDecoder(answer.Body).Decode(into)
	}
	// It listens before it can be asked.
	eventually(t, "a prometheus that is ready", func() bool {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/-/ready", page))
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	for title, query := range dashboardQueries(t) {
		var found struct {
			Status, Error string
			Data          struct{ Result []json.RawMessage }
		}
		eventually(t, fmt.Sprintf("a series for %q: %s", title, query), func() bool {
			if err := ask("query?query="+url.QueryEscape(query), &found); err != nil || found.Status != "success" {
				t.Fatalf("%s: %v %s", query, err, found.Error)
			}
			return len(found.Data.Result) > 0
		})
	}
	var rated struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Query, Health, LastError string }
			}
		}
	}
	eventually(t, "alerts that were evaluated", func() bool {
		if err := ask("rules", &rated); err != nil {
			t.Fatal(err)
		}
		if len(rated.Data.Groups) == 0 {
			return false
		}
		for _, r := range rated.Data.Groups[0].Rules {
			if r.Health != "ok" {
				return false
			}
		}
		return len(rated.Data.Groups[0].Rules) > 0
	})
	var firing struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	eventually(t, "the alarm of the gateway as an alert, and no other one", func() bool {
		if err := ask("alerts", &firing); err != nil {
			t.Fatal(err)
		}
		return len(firing.Data.Alerts) == 1 && firing.Data.Alerts[0].State == "firing" && firing.Data.Alerts[0].Labels["alarm"] == "Heat"
	})
}

// ends waits for the end of a program and returns its exit code.
func (p *process) ends() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(binary.Patience):
		p.t.Fatalf("%s does not end", p.name)
	}
	return p.cmd.ProcessState.ExitCode()
}

// checkMetrics has promtool judge the names and help of the metrics.
func checkMetrics(t *testing.T, promtool string, port int) {
	t.Helper()
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	c := exec.Command(promtool, "check", "metrics")
	c.Stdin = answer.Body
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// dashboardQueries are those of the panels, by their titles, as Grafana would ask them.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(prometheusFiles, "grafana-dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range board.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q asks for nothing", p.Title)
		}
		for _, q := range p.Targets {
			all[p.Title+" "+q.RefID] = strings.NewReplacer("$__rate_interval", "10s", "$instance", ".*").Replace(q.Expr)
		}
	}
	if len(all) < 15 {
		t.Errorf("%d queries", len(all))
	}
	return all
}
