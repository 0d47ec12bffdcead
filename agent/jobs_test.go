package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/agent/doctor"
	"pithings/awsiot/cloud"
	"pithings/awsiot/jobs"
	"pithings/conf"
	"pithings/hw/probe"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/spool/accepted"
)

const withJobs = "mqtt: {client_id: hall}\nawsiot: {jobs: {enabled: true, allow: [update-config]}}\n" + twoThings

// jobCloud is the cloud side at a lab's broker.
type jobCloud struct {
	*cloud.Cloud
	l *lab
}

func (l *lab) cloud(endpoint string) *jobCloud {
	l.t.Helper()
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.CleanSession, o.MaxQueued = endpoint, true, -1
	link, err := mqttlink.New(o)
	if err != nil {
		l.t.Fatal(err)
	}
	c, err := cloud.New(cloud.Options{Client: link})
	if err != nil {
		l.t.Fatal(err)
	}
	runs := begin(l.t.Context(), func(ctx context.Context) { _ = link.Run(ctx) })
	serves := begin(l.t.Context(), func(ctx context.Context) { _ = c.Run(ctx) })
	l.t.Cleanup(func() {
		serves.end()
		runs.end()
		c.Close()
	})
	return &jobCloud{c, l}
}

// job queues a job.
func (c *jobCloud) job(id, document string) {
	c.l.t.Helper()
	if err := c.CreateJob(c.l.t.Context(), cloud.Job{ID: id, Document: json.RawMessage(document), Things: []string{"hall"}}); err != nil {
		c.l.t.Fatal(err)
	}
}

// ended waits for the end of a job.
func (c *jobCloud) ended(id string) (e cloud.Execution) {
	c.l.t.Helper()
	c.l.until("the end of job "+id, func() bool {
		for _, e = range c.Executions("hall") {
			if e.Job == id {
				return e.Status != "QUEUED" && e.Status != "IN_PROGRESS"
			}
		}
		return false
	})
	return e
}

// wants runs a job and compares its status and a part of its details.
func (c *jobCloud) wants(id, document, status, detail string) cloud.Execution {
	c.l.t.Helper()
	c.job(id, document)
	e := c.ended(id)
	if text, _ := json.Marshal(e.Details); e.Status != status || !strings.Contains(string(text), detail) {
		c.l.t.Errorf("%s: %s %s; want %s with %q", document, e.Status, text, status, detail)
	}
	return e
}

// A configuration comes by a job, and stays if the agent connects with it, although the
// connection by which the job came is made anew.
func TestJobUpdateConfig(t *testing.T) {
	t.Parallel()
	l, _ := accepting(t, withJobs)
	c := l.cloud(l.agent.Endpoint())
	for id, tc := range map[string][2]string{
		"none":    {`{"action": "update-config"}`, "no config"},
		"typo":    {`{"action": "update-config", "confg": {}}`, "confg"},
		"list":    {`{"action": "update-config", "config": []}`, "config"},
		"local":   {`{"action": "update-config", "config": {"log": {"level": "debug"}, "mqtt": {"endpoint": "mqtt://evil:1883"}}}`, "mqtt.endpoint can be changed on the machine only"},
		"unknown": {`{"action": "update-config", "config": {"log": {"levl": "debug"}}}`, "levl"},
		"sealed":  {`{"action": "restart"}`, "its owner does not list it in awsiot.jobs.allow"},
		"hack":    {`{"action": "hack"}`, `there is no action \"hack\"`},
	} {
		c.wants(id, tc[0], "REJECTED", tc[1])
	}
	if level := l.agent.current().Log.Level; level != "info" {
		t.Errorf("the level is %s", level)
	}
	if r, err := accepted.Newest(l.folder); r != nil || err != nil {
		t.Errorf("something was kept: %+v, %v", r, err)
	}
	before := l.agent.links.of("")
	c.wants("quiet", `{"action": "update-config", "config": {"log": {"level": "debug"}}}`, "SUCCEEDED", `"revision":"1"`)
	if l.agent.links.of("") != before || l.agent.current().Log.Level != "debug" {
		t.Errorf("level %s, another connection %v", l.agent.current().Log.Level, l.agent.links.of("") != before)
	}
	c.wants("connection", `{"action": "update-config", "config": {"mqtt": {"queue": {"max": 77}}, "things": {"bme680": {"interval": "250ms"}}}}`, "SUCCEEDED", `"revision":"2"`)
	if now := l.agent.links.of(""); now == before || l.agent.current().MQTT.Queue.Max != 77 {
		t.Errorf("the queue is %d, another connection %v", l.agent.current().MQTT.Queue.Max, now != before)
	}
	if r, err := accepted.Newest(l.folder); err != nil || r.Number != 2 || r.Trial || r.From != "job connection" {
		t.Errorf("%+v, %v", r, err)
	}
	if text := string(l.get("http://" + l.agent.WebAddr() + "/healthz")); !strings.Contains(text, `"job": "connection"`) && !strings.Contains(text, `"jobs"`) {
		t.Errorf("/healthz has no jobs: %s", text)
	}
}

// aBroker is the address of a broker that stays when a lab's agent starts again.
func aBroker(t *testing.T) string {
	t.Helper()
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.Addr()
}

// gate is a way to a broker that can be closed for new connections.
type gate struct {
	net.Listener
	closed atomic.Bool
}

// newGate returns an open gate to an address.
func newGate(t *testing.T, addr string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l}
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", addr)
			if err != nil || g.closed.Load() {
				from.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
				running.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					way[0].Close()
					way[1].Close()
				})
			}
		}
	})
	return g
}

// Settings with which the agent does not connect are taken back by themselves, and the job has
// failed, also if another process sees that.
func TestJobConfigurationThatDoesNotConnect(t *testing.T) {
	for name, killed := range map[string]bool{"one process": false, "another process": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := aBroker(t)
			way := newGate(t, addr)
			text := strings.Replace(withJobs, "mqtt: {", fmt.Sprintf("mqtt: {reconnect: {min: 100ms, max: 100ms}, endpoint: \"mqtt://%s\", ", way.Addr()), 1) + "# instead of " + nowhere + "\n" // the lab does not wait for the connection
			l, _ := accepting(t, text)
			c := l.cloud("mqtt://" + addr)
			l.until("the connection", func() bool { return l.agent.links.shared.Connected() })
			l.agent.o.TrialTime = 300 * time.Millisecond
			if killed {
				l.agent.o.TrialTime = time.Hour
			}
			way.closed.Store(true)
			c.job("bad", `{"action": "update-config", "config": {"mqtt": {"queue": {"max": 77}}}}`)
			newest := func() (r accepted.Revision) {
				if found, err := accepted.Newest(l.folder); err == nil && found != nil {
					r = *found
				}
				return r
			}
			if killed {
				l.until("the new settings", func() bool { return l.agent.current().MQTT.Queue.Max == 77 })
				l.stop()
				l.trial = 300 * time.Millisecond
				l.start(text)
			}
			l.until("the settings before", func() bool { return newest().Undoes == 1 })
			way.closed.Store(false)
			e := c.ended("bad")
			if e.Status != "FAILED" || !strings.Contains(e.Details["reason"], "no connection with revision 1") {
				t.Errorf("%s %v", e.Status, e.Details)
			}
			l.until("the queue before", func() bool { return l.agent.current().MQTT.Queue.Max == -1 })
			c.wants("good", `{"action": "update-config", "config": {"mqtt": {"queue": {"max": 78}}}}`, "SUCCEEDED", "3")
		})
	}
}

// A diagnosis has the doctor's report and the end of the log, in bounds and without secrets, as
// a job and as a command.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	const password, token = "correct-horse-battery", "eyJhbGciOiJIUzI1NiJ9.e30"
	many := doctor.Report{}
	for i := range 300 {
		many = append(many, probe.Result{Part: fmt.Sprint("part", i), Status: probe.OK, Found: strings.Repeat("x", 700)})
	}
	many = append(many, probe.Result{Part: "TG_Camera", Status: probe.Fail, Problem: "login " + password + " refused by https://u:" + token + "@h/x?X-Amz-Signature=" + token, Fix: "plug it in"})
	text := strings.Replace(withJobs, "[update-config]", "[diagnose]}, command: {enabled: true", 1)
	text = strings.Replace(text, "client_id: hall", "client_id: hall, username: u, password: "+password, 1)
	l, _ := accepting(t, text)
	l.stop()
	l.doctor = func(context.Context) (doctor.Report, error) { return many, nil }
	l.start(text)
	c := l.cloud(l.agent.Endpoint())
	for i := range 400 {
		l.agent.log.Warn(fmt.Sprint("line ", i), "err", "password "+password+", token="+token, "padding", strings.Repeat("y", 300))
	}
	c.wants("wildcard", `{"action": "diagnose", "response-topic": "cmd/#"}`, "REJECTED", "response-topic")
	c.wants("elsewhere", `{"action": "diagnose", "response-topic": "other/x"}`, "REJECTED", "cmd/")
	e := c.wants("all", `{"action": "diagnose", "response-topic": "cmd/app/found"}`, "SUCCEEDED", `"problem_1":"TG_Camera: login [secret] refused by https://[secret]@h/x?[secret]; fix: plug it in"`)
	job := l.message("cmd/app/found")
	answer := func() string {
		l.send("why", "diagnose", "{}")
		return l.message("cmd/app/why")
	}()
	details, _ := json.Marshal(e.Details)
	for name, got := range map[string]string{"details": string(details), "message": job, "answer": answer} {
		if strings.Contains(got, password) || strings.Contains(got, token) {
			t.Errorf("the %s have a secret: %s", name, got)
		}
		if len(got) > 64<<10 {
			t.Errorf("the %s have %d bytes", name, len(got))
		}
		if name != "details" && (len(got) < 50<<10 || !strings.Contains(got, `"failed":1`) || !strings.Contains(got, `"TG_Camera"`)) {
			t.Errorf("the %s, %d bytes, have not all that has its place: %s", name, len(got), got)
		}
	}
	if len(e.Details) > 10 || e.Details["failed"] != "1" || e.Details["log"] == "" || e.Details["published"] != "cmd/app/found" {
		t.Errorf("%q", e.Details)
	}
	// What little there is comes whole.
	l.agent.doctor.recent.Keep(false)
	l.agent.doctor.recent.Keep(true)
	many = many[298:]
	c.wants("little", `{"action": "diagnose", "response-topic": "cmd/app/found"}`, "SUCCEEDED", `"checks":"3"`)
	var found struct {
		Job    string
		Result Findings
	}
	if err := json.Unmarshal([]byte(l.message("cmd/app/found")), &found); err != nil || found.Job != "little" || len(found.Result.Checks) != 3 || found.Result.Checks[0].Part != "part298" || len(found.Result.Log) == 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// A diagnosis is not published where a thing takes commands, at no moment of a reload that makes
// the thing anew.
func TestDiagnoseInReloads(t *testing.T) {
	t.Parallel()
	config := func(seconds int) string {
		return fmt.Sprintf(`
mqtt: {client_id: hall}
awsiot: {jobs: {enabled: true, allow: [diagnose]}, command: {reply_prefixes: [relay/]}}
things: [{name: relay, type: output, pin: GPIO27, max_on: %ds}]
`, seconds)
	}
	r := newReloader(t, config(10))
	r.agent.doctor.examine = func(context.Context) (doctor.Report, error) { return nil, nil }
	var service *jobService
	for _, s := range r.agent.services {
		if o, ok := s.Service.(*optional); ok && o.name == "jobs" {
			service = o.of.(*jobService)
		}
	}
	diagnose := func(to string) jobs.Result {
		document := fmt.Sprintf(`{"action": "diagnose", "response-topic": %q}`, to)
		return service.diagnose(t.Context(), &jobs.Job{ID: "j", Action: jobs.Diagnose, Document: json.RawMessage(document)})
	}
	tries := begin(t.Context(), func(ctx context.Context) {
		for ctx.Err() == nil {
			if result := diagnose("relay/set"); result.Status != jobs.Rejected {
				t.Errorf("%+v", result)
				return
			}
		}
	})
	for n := range 20 {
		if did := r.mustReload(config(11 + n)); len(did.Things) != 1 {
			t.Errorf("%+v", did)
		}
	}
	tries.end()
	if result := diagnose("relay/other"); result.Status != jobs.Succeeded {
		t.Errorf("%+v", result)
	}
}

// An agent without a doctor has no diagnosis.
func TestNoDoctor(t *testing.T) {
	t.Parallel()
	l, _ := accepting(t, strings.Replace(withJobs, "[update-config]", "[diagnose]}, command: {enabled: true", 1))
	if a := l.asks("one", "diagnose", "{}"); a.Code != "NotAvailable" {
		t.Errorf("%+v", a)
	}
}

// What is kept of the log has no password that a reload has replaced, nor the one that came.
func TestDiagnosisAfterANewPassword(t *testing.T) {
	var d diagnosis
	log := d.recent.Below(slog.New(slog.NewTextHandler(io.Discard, nil)))
	for _, password := range []string{"first-one", "second-one", "third-one"} {
		var c config.Config
		c.AWSIoT.Jobs.Enabled, c.MQTT.Password = true, conf.NewSecret(password)
		if password != "first-one" {
			log.Info("just before: " + d.secrets[0])
		}
		d.watch(&c)
		log.Info("logged in", "err", errors.New("as "+password))
	}
	log.Info("ending", "err", errors.New("was second-one")) // what ends in the reload
	lines := fmt.Sprint(d.recent.Lines())
	if strings.Count(lines, "[secret]") != 6 || strings.Contains(lines, "-one") {
		t.Errorf("%s", lines)
	}
}

func TestRedact(t *testing.T) {
	var c config.Config
	c.MQTT.Password = conf.NewSecret("hunter2")
	c.Broker.Users = []config.BrokerUser{{Name: "u", PasswordHash: conf.NewSecret("$7$101$abc")}}
	own := config.MQTT{Password: conf.NewSecret("own-one")}
	c.Things = []config.Thing{{MQTT: &own}}
	c.MQTT.Username = "u"
	folder := t.TempDir()
	c.Services.Secrets = folder
	if err := os.WriteFile(filepath.Join(folder, "mail"), []byte("mail-s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, s := range []string{"abcd1234", "abcd1234-longer-one", `qu"ote\d`} { // one begins with another
		c.Things = append(c.Things, config.Thing{Name: fmt.Sprint(i), MQTT: &config.MQTT{Password: conf.NewSecret(s)}})
	}
	hide := redactorOf(secretsOf(&c))
	for in, want := range map[string]string{
		"nothing to hide: level=INFO":                                             "nothing to hide: level=INFO",
		"hunter2 and $7$101$abc and own-one":                                      "[secret] and [secret] and [secret]",
		"abcd1234-longer-one, abcd1234-other":                                     "[secret], [secret]-other",
		`as it is qu"ote\d`:                                                       "as it is [secret]",
		fmt.Sprintf("once %q", `qu"ote\d`):                                        `once "[secret]"`,
		fmt.Sprintf("twice %q", fmt.Sprintf("in %q", `qu"ote\d`)):                 `twice "in \"[secret]\""`,
		"of a service: mail-s3cret":                                               "of a service: [secret]",
		"cut: abcd1234-lon… and hunt…, not hun…":                                  "cut: [secret]… and [secret]…, not hun…",
		"mqtt://u:p@h:1883 refused":                                               "mqtt://[secret]@h:1883 refused",
		`get "https://b.s3/x.jpg?X-Amz-Signature=abc&x=1": 403`:                   `get "https://b.s3/x.jpg?[secret]": 403`,
		`token: "a \"b\" c", next`:                                                `token: [secret], next`,
		"Authorization: Bearer abc.def end":                                       "Authorization: [secret] end",
		"-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nrest": "[secret]\nrest",
		`err="-----BEGIN PRIVATE KEY-----\\nMIIE cut`:                             `err="[secret]`,
	} {
		if got := hide.text(in); got != want {
			t.Errorf("%s\nis  %s\nnot %s", in, got, want)
		}
	}
}
