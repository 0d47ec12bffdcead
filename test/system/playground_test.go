//go:build system

package system

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/test/binary"
)

// playground is a factory at a mosquitto with a cloud, and a transcript of what is asked of it and what
// its devices publish.
type playground struct {
	t      *testing.T
	port   int
	broker *process
	base   string // URL
	state  string // of the cloud
	text   strings.Builder
	wire   chan string // "topic payload"
	names  *strings.Replacer
	seen   map[string]string // kind of device: name
}

const playgroundToken = "the token of this test"

// cloudSays are topics of the cloud's answers, which are not devices'.
var cloudSays = regexp.MustCompile(`^\$aws/.*/(accepted|rejected|delta|documents|notify|notify-next) `)

// varies are the parts of a transcript that are different each time.
var varies = []struct {
	part *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`"ts":"[^"]*"`), `"ts":"TIME"`},
	{regexp.MustCompile(`"time":"[^"]*"`), `"time":"TIME"`},
	{regexp.MustCompile(`expires=\d+&signature=[0-9a-f]+`), `expires=TIME&signature=SIGNATURE`},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), `127.0.0.1:PORT`},
	{regexp.MustCompile(`"(report_id|bytes_in|bytes_out|packets_in|packets_out)":\d+`), `"$1":N`},
	{regexp.MustCompile(`"payload":"[a-z]{500}"`), `"payload":"500 letters"`},
	{regexp.MustCompile(`"timestamp":\d+`), `"timestamp":TIME`},
	{regexp.MustCompile(`jobs/[A-Za-z0-9_-]{8,}/update`), `jobs/JOB/update`},
}

func newPlayground(t *testing.T) *playground {
	t.Helper()
	p := &playground{t: t, state: t.TempDir(), wire: make(chan string, 1000), seen: map[string]string{}}
	p.port, p.broker = mosquittoProcess(t, "allow_anonymous true", "log_type subscribe", "log_dest stderr")
	cloud := start(t, binary.Path, "cloud", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", p.port), "--state", p.state, "-v")
	cloud.log("subscribed to requests")
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", p.port)).SetClientID("recorder").
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { p.wire <- m.Topic() + " " + string(m.Payload()) })) // paho's routes take # for $, too
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	filters := map[string]byte{"#": 0, "$aws/#": 0}
	if token := c.SubscribeMultiple(filters, nil); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	port := freePort(t)
	p.base = fmt.Sprintf("http://127.0.0.1:%d", port)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(playgroundToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Path, "fleet", "--factory", "-n", "3", "--seed", "1", "--qos", "0", "--interval", "24h", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", p.port),
		"--http", fmt.Sprintf("127.0.0.1:%d", port), "--token-file", token)
	awaitListener(t, port)
	return p
}

// name gives a device another name in the transcript.
func (p *playground) name(as, name string) {
	p.seen[as] = name
	all := []string{}
	for as, name := range p.seen {
		all = append(all, name, as)
	}
	p.names = strings.NewReplacer(all...)
}

// plain is a text without what is different each time.
func (p *playground) plain(s string) string {
	if p.names != nil {
		s = p.names.Replace(s)
	}
	for _, v := range varies {
		s = v.part.ReplaceAllString(s, v.by)
	}
	return s
}

func (p *playground) note(format string, args ...any) {
	fmt.Fprintln(&p.text, p.plain(strings.TrimRight(fmt.Sprintf(format, args...), " \n")))
}

// request sends a request and notes it with its answer, which it returns.
func (p *playground) request(method, path, kind, body string) string {
	p.t.Helper()
	for as, name := range p.seen {
		path, body = strings.ReplaceAll(path, as, name), strings.ReplaceAll(body, as, name)
	}
	req, err := http.NewRequest(method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+playgroundToken)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.note("\n%s %s %s", method, path, body)
	p.note("  %d %s", answer.StatusCode, text)
	return string(text)
}

func (p *playground) get(path string) string { return p.request(http.MethodGet, path, "", "") }

func (p *playground) operation(body string) string {
	return p.request(http.MethodPost, "/factory", "application/x-www-form-urlencoded", body)
}

// create makes a device, which is called so in the transcript.
func (p *playground) create(as, kind string) {
	p.t.Helper()
	body := `{"operation":"create-device","device-type":"` + kind + `"}`
	at := p.text.Len()
	text := p.operation(body)
	var c struct {
		Name string `json:"dev_name"`
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil || c.Name == "" {
		p.t.Fatalf("%s: %v", text, err)
	}
	p.name(as, c.Name)
	noted := p.text.String()
	p.text.Reset()
	p.text.WriteString(noted[:at] + p.plain(noted[at:]))
}

// published waits until devices have published to these topics, and notes that. More that comes by then
// is noted, too.
func (p *playground) published(topics ...string) {
	p.t.Helper()
	var got []string
	want := slices.Clone(topics)
	for limit := time.After(binary.Patience); len(want) > 0; {
		select {
		case m := <-p.wire:
			if cloudSays.MatchString(m) {
				continue
			}
			m = p.plain(m)
			got = append(got, m)
			topic, _, _ := strings.Cut(m, " ")
			if i := slices.Index(want, topic); i >= 0 {
				want = slices.Delete(want, i, i+1)
			}
		case <-limit:
			p.t.Fatalf("nothing on %q, but %q; so far:\n%s", want, got, p.text.String())
		}
	}
	slices.Sort(got) // of several devices none is the first
	for _, m := range got {
		p.note("  > %s", m)
	}
}

// born are the topics to which a device publishes as it connects first.
func born(name string) []string {
	aws := "$aws/things/" + name
	return []string{"cmd/" + name + "/event", aws + "/shadow/update", aws + "/jobs/get", aws + "/shadow/get", "dt/ac/company1/area1/" + name + "/temp"}
}

// again are those when it connects again.
func again(name string) []string {
	return []string{"$aws/things/" + name + "/jobs/get", "$aws/things/" + name + "/shadow/get"}
}

// Every topic, payload, route and reply of the playground, at a real mosquitto with a cloud of our own.
func TestPlaygroundTranscript(t *testing.T) {
	p := newPlayground(t)
	const form = "application/x-www-form-urlencoded"
	p.note("# The device factory")
	p.create("GENERIC", "generic")
	p.published(born("GENERIC")...)
	p.create("BULB", "controlled")
	p.published(born("BULB")...)
	p.create("SWITCH", "switch")
	p.published(born("SWITCH")...)
	p.operation(`{"operation":"create-device"}`)
	p.operation(`{"operation":"list-devices"}`)
	p.operation(`{"operation":"describe-device","device-id":"GENERIC"}`)
	p.operation(`{"operation":"describe-device"}`)
	p.get("/devices/SWITCH/press_on")
	p.operation(`{"operation":"link-devices","source-device-id":"SWITCH","target-device-id":"BULB"}`)

	p.note("\n# What they subscribe to")
	var filters []string
	for limit := time.Now().Add(binary.Patience); len(filters) < 7; time.Sleep(20 * time.Millisecond) { // a foreign process's log
		filters = nil
		for line := range strings.Lines(p.broker.logged()) {
			if _, sub, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.HasPrefix(sub, p.seen["GENERIC"]+" ") {
				filters = append(filters, p.plain(sub))
			}
		}
		if time.Now().After(limit) {
			t.Fatalf("only %q", filters)
		}
	}
	slices.Sort(filters)
	for _, f := range filters {
		p.note("  %s", f)
	}

	p.note("\n# A switch")
	p.get("/devices/SWITCH/press_on")
	p.published("$aws/things/BULB/shadow/update", "$aws/things/BULB/shadow/update") // desired, and reported
	p.get("/devices/SWITCH/press_off")
	p.published("$aws/things/BULB/shadow/update", "$aws/things/BULB/shadow/update")

	p.note("\n# Changes")
	p.get("/devices/GENERIC/config?time=3600&topic=newtopic/{}&payload=" + url.QueryEscape(`{"temp": 99}`))
	p.published("newtopic/GENERIC")
	p.get("/devices/GENERIC/config?ddm_sr=300")
	p.published("$aws/things/GENERIC/defender/metrics/json")
	p.request(http.MethodPost, "/devices/GENERIC/config", form, "fsampling=7200&ddm_sr=&ftopic=dt%2Fac%2Fcompany1%2Farea1%2F%7B%7D%2Ftemp&fpayload=%7B%22temp%22%3A+30%7D")
	p.published("dt/ac/company1/area1/GENERIC/temp")
	p.get("/devices/GENERIC/config?time=soon")
	for _, action := range []string{"tamper", "large", "autherr"} {
		p.request(http.MethodPost, "/devices/GENERIC/actions", form, "action="+action)
		p.published(map[string]string{"tamper": "cmd/GENERIC/tamper", "large": "dt/ac/company1/area1/GENERIC/temp", "autherr": "invalid-topic-for-error"}[action])
	}
	p.request(http.MethodPost, "/devices/GENERIC/actions", form, "action=explode")
	p.get("/devices/GENERIC/config?reconnect")
	p.published(append(again("GENERIC"), "cmd/GENERIC/lwt")...)
	p.request(http.MethodPost, "/devices/GENERIC/actions", form, "action=clean")
	p.request(http.MethodPost, "/devices/GENERIC/actions", form, "action=reconnect")
	p.published(again("GENERIC")...)

	p.note("\n# A command")
	publish(t, p.port, "cmd/ac/"+p.seen["GENERIC"]+"/req", `{"type":"diagnose","session-id":"4711","response-topic":"cmd/ac/`+p.seen["GENERIC"]+`/res"}`)
	p.published("cmd/ac/GENERIC/req", "cmd/ac/GENERIC/res")

	p.note("\n# Jobs")
	for _, job := range []struct {
		what   string
		topics []string
	}{
		{"cu", nil}, {"fw", nil}, {"rc", again("GENERIC")},
	} {
		p.note("\ncreate-job.sh %s GENERIC", job.what)
		p.script("create-job.sh", job.what, p.seen["GENERIC"], "0")
		p.published(append(job.topics, "$aws/things/GENERIC/jobs/start-next", "$aws/things/GENERIC/jobs/JOB/update")...)
	}

	p.note("\npithings cloud job create GENERIC {\"action\":\"explode\"}")
	if out, errs, code := finish(t, "cloud", "job", "create", p.seen["GENERIC"], `{"action":"explode"}`, "--state", p.state); code != 0 {
		t.Fatal(out, errs)
	}
	p.published("$aws/things/GENERIC/jobs/start-next", "$aws/things/GENERIC/jobs/JOB/update")

	p.note("\n# Read-outs")
	for _, path := range []string{"/", "/name", "/endpoint", "/cert", "/log", "/help"} {
		p.get("/devices/GENERIC" + path)
	}
	p.get("/devices/BULB/shadow")
	p.published("$aws/things/BULB/shadow/get")

	p.note("\n# The end")
	p.operation(`{"operation":"delete-device","device-id":"GENERIC"}`)
	p.operation(`{"operation":"describe-device","device-id":"GENERIC"}`)
	p.operation(`{"operation":"delete-device","device-id":"SWITCH"}`)
	p.create("ANOTHER", "bulb")
	p.published(born("ANOTHER")...) // and no will of the others

	file := filepath.Join("testdata", "playground.txt")
	if *update {
		if err := os.WriteFile(file, []byte(p.text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.text.String(); got != string(want) {
		t.Errorf("%s differs; if that is right, run the test with -update\n%s", file, got)
	}
}

// playgroundScripts is the folder around the playground's scripts.
const playgroundScripts = "../../deploy/playground"

// script runs one of the playground's scripts as its README does, and returns what it prints.
func (p *playground) script(name string, args ...string) string {
	p.t.Helper()
	return runScript(p.t, []string{"DV_ENDPOINT=" + p.base + "/factory", "PITHINGS_FLEET_TOKEN=" + playgroundToken, "PITHINGS=" + binary.Path, "CLOUD_STATE=" + p.state, "SECONDS_BETWEEN=0",
		"BROKER_PORT=" + fmt.Sprint(p.port)}, name, args...)
}

func runScript(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), binary.Patience)
	defer cancel()
	binary.Need(t, "curl")
	c := exec.CommandContext(ctx, "./scripts/"+name, args...)
	c.Dir, c.Env = playgroundScripts, append(environment(t), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// The playground's scripts do at our factory what they do at the playground's; those of its cloud name
// what replaces them.
func TestPlaygroundScripts(t *testing.T) {
	p := newPlayground(t)
	var c struct {
		Name string `json:"dev_name"`
		URL  string `json:"config_file_url"`
	}
	if err := json.Unmarshal([]byte(p.script("cp-create-thing.sh", "generic")), &c); err != nil || !strings.HasPrefix(c.Name, "dev-") || c.URL == "" {
		t.Fatalf("%+v, %v", c, err)
	}
	p.name("DEV", c.Name)
	p.published(born("DEV")...)
	says := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("%q, want %s", got, want)
		}
	}
	says(p.script("cp-list-things.sh"), `"id":"`+c.Name+`"`)
	says(p.script("cp-query-thing.sh", c.Name), `"Status":"RUNNING"`)
	says(p.script("cp-monitor-thing.sh", c.Name, "2"), strings.Repeat(fmt.Sprintf("%q\n\"RUNNING\"\n\"127.0.0.1\"\n", c.Name), 2))
	says(p.script("send_large_payload.sh", c.Name, "2"), "Sent a large payload\nSent a large payload\n")
	p.published("dt/ac/company1/area1/DEV/temp", "dt/ac/company1/area1/DEV/temp")
	exports := p.script("show-exports.sh")
	says(exports, "export DV_ENDPOINT='"+p.base+"/factory'")
	says(exports, "export PORT='"+p.base[strings.LastIndex(p.base, ":")+1:]+"'")
	says(p.script("show-exports.sh", "bulb"), "export CONFIG_FILE_URL='"+p.base+"/factory/config/dev-")
	says(p.script("create-job.sh", "cu", c.Name, "0"), "JOB ACTION change-unit\n1 - Check job...")
	says(p.script("cp-delete-thing.sh", c.Name), `"result":"TERMINATED"`)
	for name, want := range map[string]string{"push.sh": "no image", "deploy-bootstrap.sh": "pithings cloud", "broker-debug-create-cert.sh": "provision local"} {
		says(p.script(name), want)
	}

	debug := start(t, binary.Need(t, "stdbuf"), "-oL", "env", "BROKER_PORT="+fmt.Sprint(p.port), playgroundScripts+"/scripts/broker-debug.sh")
	debug.await("SUBACK", func(l string) bool { return strings.Contains(l, "SUBACK") })
	publish(t, p.port, "dt/ac/company1/area1/x/temp", "21")
	debug.line("dt/ac/company1/area1/x/temp 21")

	all, err := filepath.Glob(playgroundScripts + "/scripts/*.sh")
	if err != nil || len(all) < 12 {
		t.Fatalf("%d scripts, %v", len(all), err)
	}
	shellcheck := exec.Command(binary.Need(t, "shellcheck"), "-x")
	shellcheck.Dir = playgroundScripts + "/scripts"
	for _, path := range all {
		name := filepath.Base(path)
		shellcheck.Args = append(shellcheck.Args, name)
		if st, err := os.Stat(path); err != nil || name != "factory.sh" && st.Mode()&0o111 == 0 {
			t.Errorf("%s cannot be run: %v", name, err)
		}
	}
	if out, err := shellcheck.CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
	for name, code := range map[string]int{"cp-delete-thing.sh": 2, "cp-query-thing.sh": 2, "create-job.sh": 2} {
		c := exec.Command("./scripts/"+name, `a"b`)
		c.Dir = playgroundScripts
		if out, err := c.CombinedOutput(); err == nil || c.ProcessState.ExitCode() != code {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
	c2 := exec.Command("./scripts/cp-query-thing.sh", "dev-NONE")
	c2.Dir, c2.Env = playgroundScripts, append(environment(t), "DV_ENDPOINT="+p.base+"/factory", "PITHINGS_FLEET_TOKEN="+playgroundToken)
	if out, err := c2.CombinedOutput(); err == nil || !strings.Contains(string(out), "error-message") {
		t.Errorf("a device that there is not: %v %s", err, out)
	}
}

// What show-exports.sh prints is for eval: a factory that is none must not run commands in the user's shell.
func TestPlaygroundExportsRunNothing(t *testing.T) {
	for name, answer := range map[string]string{
		"a command": `{"dev_name":"$(echo ran >&2)","config_file_url":"http://x/` + "`echo ran >&2`" + `"}`,
		"a quote":   `{"dev_name":"x'; echo ran >&2; '","config_file_url":"x"}`,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
		binary.Need(t, "curl")
		c := exec.Command("sh", "-c", `eval "$(./scripts/show-exports.sh generic)"; echo "at $DV_ENDPOINT"`)
		c.Dir, c.Env = playgroundScripts, append(environment(t), "DV_ENDPOINT="+s.URL+"/factory")
		out, err := c.CombinedOutput()
		s.Close()
		if err != nil || strings.Contains("\n"+string(out), "\nran") || !strings.Contains(string(out), "at "+s.URL) {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// A device of the factory has a certificate of the broker's authority, and is given away as one
// document, which provision document takes from its address.
func TestPlaygroundDocument(t *testing.T) {
	dir, port, _ := identities(t, 1, "dt/#", "")
	web := freePort(t)
	const token = "0123456789abcdef"
	fleet := startAs(t, func(c *exec.Cmd) { c.Env = append(environment(t), "PITHINGS_FLEET_TOKEN="+token) }, binary.Path,
		"fleet", "--factory", "-n", "2", "--identities", dir, "--http", fmt.Sprintf("127.0.0.1:%d", web), "-e", fmt.Sprintf("mqtts://localhost:%d", port))
	awaitListener(t, web)
	env := []string{fmt.Sprintf("DV_ENDPOINT=http://127.0.0.1:%d/factory", web), "PITHINGS_FLEET_TOKEN=" + token}
	var name, address string
	for line := range strings.Lines(runScript(t, env, "show-exports.sh", "generic")) {
		if v, ok := strings.CutPrefix(line, "export DEV="); ok {
			name = strings.Trim(v, "'\n")
		}
		if v, ok := strings.CutPrefix(line, "export CONFIG_FILE_URL="); ok {
			address = strings.Trim(v, "'\n")
		}
	}
	home := t.TempDir()
	take := func() (string, error) {
		c := exec.Command(binary.Path, "provision", "document")
		c.Dir, c.Env = home, append(environment(t), "CONFIG_FILE_URL="+address)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := take(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, fleet.logged())
	}
	for _, file := range []string{"device.key", "device.crt", "ca.pem", "pithings.yaml"} {
		a, err := os.ReadFile(filepath.Join(home, name, file))
		if err != nil {
			t.Fatal(err)
		}
		if file == "pithings.yaml" {
			continue
		}
		if b, err := os.ReadFile(filepath.Join(dir, "devices", name, file)); err != nil || string(a) != string(b) {
			t.Errorf("%s is another one: %v", file, err)
		}
	}
	if out, err := take(); err == nil || !strings.Contains(out, "refuses the document") {
		t.Errorf("a second time: %v %s", err, out)
	}
}
