package agent

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/agent/access"
	"pithings/agent/config"
	"pithings/agent/doctor"
	"pithings/awsiot/cloud"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/hw/probe"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/broker/passwd"
	"pithings/mqttlink/clock"
	"pithings/test/pki"
)

// planted are secrets by the key of the configuration that gives them.
type planted map[string]string

// forms are how a secret could be written.
func forms(secret string) []string {
	return []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)), fmt.Sprint([]byte(secret))}
}

// shown are the places where a secret may not be, with what was seen there.
type shown struct {
	mu  sync.Mutex
	all map[string]*bytes.Buffer
}

// Add notes what was seen at a place.
func (s *shown) Add(place string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]*bytes.Buffer{}
	}
	if s.all[place] == nil {
		s.all[place] = new(bytes.Buffer)
	}
	s.all[place].Write(append(text, '\n'))
}

// at is what was seen at a place.
func (s *shown) at(place string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[place] == nil {
		return ""
	}
	return s.all[place].String()
}

// check looks for secrets in all places of which the name begins so.
func (s *shown) check(t *testing.T, secrets planted, prefix string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for place, text := range s.all {
		if !strings.HasPrefix(place, prefix) {
			continue
		}
		for key, secret := range secrets {
			for _, form := range forms(secret) {
				if i := strings.Index(text.String(), form); i >= 0 {
					t.Errorf("%s shows %s: …%s", place, key, text.String()[max(0, i-200):i])
				}
			}
		}
	}
}

// body is the middle of a PEM file: what is secret of a key.
func body(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")[1]
}

// No secret of the configuration, and none that is sent from afar, is in the log at its lowest
// level, in the API, in config show, or in what is published: answers, reports, shadows, jobs.
func TestSecretsAreNowhere(t *testing.T) {
	certs, dir := pki.New(t), t.TempDir()
	certs.Server("127.0.0.1", time.Now().Add(time.Hour))
	certs.Client("door", time.Now().Add(time.Hour))
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other, err := broker.Start("127.0.0.1:0", broker.Options{AllowAnonymous: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	bob, err := passwd.New("bob's")
	if err != nil {
		t.Fatal(err)
	}
	webHash, err := access.Hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	digest := func(hash string) string { return hash[strings.LastIndexByte(hash, '$')+1:] }
	secrets := planted{
		"mqtt.password":                "MARK-shared-password",
		"things[].mqtt.password":       "MARK-password-of-a-thing",
		"mqtt.password_file":           "MARK-password-in-a-file",
		"broker.users[].password_hash": digest(secretHash),
		"broker.users[].password_file": digest(bob),
		"broker.tls.key":               body(t, certs.File("server.key")),
		"mqtt.key":                     body(t, certs.File("door.key")),
		"http.token_file":              "MARK0123456789abcdef",
		"http.password_hash":           digest(webHash),
	}
	secrets["things[].mqtt.password_file"], secrets["things[].mqtt.key"] = secrets["mqtt.password_file"], secrets["mqtt.key"]
	secrets["http.tls.key"] = secrets["broker.tls.key"]
	for _, f := range conf.Leaves(new(config.Config)) {
		base := f.Path[strings.LastIndexByte(f.Path, '.')+1:]
		if secret := f.Secret() || f.Tag.Get("file") == "credential" && (base == "key" || strings.HasSuffix(base, "_file")); secret && secrets[f.Path] == "" {
			t.Errorf("no secret is planted in %s", f.Path)
		}
	}
	text := `broker:
  listen: 127.0.0.1:0
  tls: {cert: ` + certs.File("server.pem") + `, key: ` + certs.File("server.key") + `}
  users: [{name: ann, password_hash: ` + secretHash + `, subscribe: ["#", "$aws/#"], publish: ["#"]}, {name: bob, password_file: ` + file("bob", bob+"\n") + `}]
http: {listen: "127.0.0.1:0", password_hash: "` + webHash + `", token_file: ` + file("token", secrets["http.token_file"]+"\n") + `, allow_nets: [192.0.2.0/24],
  tls: {cert: ` + certs.File("server.pem") + `, key: ` + certs.File("server.key") + `}}
log: {level: debug}
mqtt: {client_id: hall, username: ann, password: ` + secrets["mqtt.password"] + `}
awsiot: {command: {enabled: true}, jobs: {enabled: true}, shadow: {enabled: true}, defender: {enabled: true}, presence: {enabled: true}, refuse: {enabled: true}}
things:
  - {name: bme680, type: environment, interval: 100ms}
  - {name: porch, type: motion, pin: GPIO18, warm_up: 0s, mqtt: {endpoint: "` + other.Endpoint() + `", client_id: porch, username: u, password: ` + secrets["things[].mqtt.password"] + `}}
  - {name: door, type: motion, pin: GPIO17, warm_up: 0s, mqtt: {endpoint: "mqtts://127.0.0.1:1", client_id: door, cert: ` + certs.File("door.pem") + `, key: ` + certs.File("door.key") + `, username: u, password_file: ` + file("pass", secrets["mqtt.password_file"]+"\n") + `}}
`
	name := file("pithings.yaml", text)
	load := func(over config.Over) (*config.Config, []conf.Warning, error) {
		c, warnings, err := config.LoadWith(name, nil, config.With{Over: over})
		if err == nil {
			_, err = Check(c, time.Time{})
		}
		return c, warnings, err
	}
	cfg, _, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.MQTT.Password.Reveal() + cfg.Things[1].MQTT.Password.Reveal() + cfg.Things[2].MQTT.Password.Reveal(); got != secrets["mqtt.password"]+secrets["things[].mqtt.password"]+secrets["mqtt.password_file"] {
		t.Fatalf("the secrets have not arrived: %s", got)
	}
	seen := &shown{}
	seen.Add("config show", []byte(cfg.Show(func(v conf.Value) string { return v.Source })))
	seen.Add("config show", []byte(cfg.String()))
	values, err := json.Marshal(cfg.Values())
	if err != nil {
		t.Fatal(err)
	}
	seen.Add("config show --json", values)

	board := mock.New(mock.Options{})
	defer board.Close()
	log, ready := &syncBuffer{}, make(chan struct{})
	a, err := New(Options{Config: cfg, Board: board, State: t.TempDir(), Simulated: true, Load: load, Clock: clock.Options{Trust: true}, Ready: func() { close(ready) },
		Doctor: blabbing(t, secrets, certs.File("server.key"), certs.File("door.key")),
		Log:    slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	work.Go(func() { _ = a.Run(ctx) })
	<-ready

	// Whoever listens to all at both brokers, as their administrator may.
	answered := make(chan string, 100)
	listen := func(place string, o mqttlink.Options) *mqttlink.Link {
		t.Helper()
		taken := make(chan bool, 10)
		o.OnSuback = func([]string, []string) { taken <- true }
		link, err := mqttlink.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := link.SubscribeAll([]string{"#", "$aws/#"}, 1, func(_ context.Context, m mqttlink.Message) {
			if strings.HasPrefix(m.Topic, "$aws/") || !strings.HasSuffix(m.Topic, "/req") { // which are what is sent
				seen.Add(place+" "+m.Topic, m.Payload)
			}
			if strings.HasPrefix(m.Topic, "cmd/app/") {
				answered <- m.Topic
			}
		}); err != nil {
			t.Fatal(err)
		}
		work.Go(func() { _ = link.Run(ctx) })
		<-taken
		return link
	}
	o := mqttlink.DefaultOptions()
	o.Endpoint = other.Endpoint()
	listen("MQTT elsewhere", o)
	o.Endpoint, o.CA, o.Username, o.Password = a.Endpoint(), certs.File("ca.pem"), "ann", "secret"
	link := listen("MQTT", o)

	// What is sent from afar, in all ways, to change each secret, or as one.
	const sent = "AFAR-s3cret"
	afar := planted{"what is sent from afar": sent}
	publish := func(topic, payload string) {
		t.Helper()
		if err := link.Publish(ctx, mqttlink.Message{Topic: topic, QoS: 1, Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	changes := []string{}
	for key := range secrets {
		changes = append(changes, nested(key, sent))
	}
	slices.Sort(changes)
	var want []string
	asked := 0
	ask := func(kind, params string) {
		topic := fmt.Sprintf("cmd/app/%d", asked)
		publish("cmd/ac/hall/req", fmt.Sprintf(`{"type": %q, "session-id": "s%d", "response-topic": %q, "params": %s}`, kind, asked, topic, params))
		want = append(want, topic)
		asked++
	}
	for subscribed := false; !subscribed; { // what is sent before is lost
		ask("read", `{"thing": "bme680"}`)
		select {
		case <-answered:
			subscribed, want = true, nil
		case <-time.After(time.Second):
		}
	}
	for _, c := range changes {
		ask("reconfigure", `{"config": `+c+`}`)
	}
	diagnosis := fmt.Sprint("MQTT cmd/app/", asked)
	ask("diagnose", `{}`)
	ask("bme680/nothing", `{"password": "`+sent+`"}`)
	for len(want) > 0 {
		select {
		case topic := <-answered:
			want = slices.DeleteFunc(want, func(w string) bool { return w == topic })
		case <-time.After(patience):
			t.Fatalf("no answers on %v\n%s", want, log)
		}
	}
	var simulated *simulatedCloud
	for _, s := range a.services {
		if c, ok := s.Service.(*simulatedCloud); ok {
			simulated = c
		}
	}
	for i, c := range changes {
		job := cloud.Job{ID: fmt.Sprintf("j%d", i), Things: []string{"hall"}, Document: json.RawMessage(`{"action": "update-config", "config": ` + c + `}`)}
		if err := simulated.CreateJob(ctx, job); err != nil {
			t.Fatal(err)
		}
	}
	job := cloud.Job{ID: "diagnose", Things: []string{"hall"}, Document: json.RawMessage(`{"action": "diagnose", "response-topic": "cmd/app/diagnose"}`)}
	if err := simulated.CreateJob(ctx, job); err != nil {
		t.Fatal(err)
	}
	done := func() bool {
		return !slices.ContainsFunc(simulated.Executions("hall"), func(e cloud.Execution) bool { return e.Status == "QUEUED" || e.Status == "IN_PROGRESS" })
	}
	for deadline := time.Now().Add(patience); !done() || !strings.Contains(seen.at("MQTT $aws/things/hall/shadow/update"), "reported"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("jobs: %+v\nshadow: %s\n%s", simulated.Executions("hall"), seen.at("MQTT $aws/things/hall/shadow/update"), log)
		}
	}
	for topic := ""; topic != "cmd/app/diagnose"; {
		select {
		case topic = <-answered:
		case <-time.After(patience):
			t.Fatalf("the job has published no diagnosis\n%s", log)
		}
	}
	for _, e := range simulated.Executions("hall") {
		text, err := json.Marshal(e.Details)
		if err != nil {
			t.Fatal(err)
		}
		seen.Add("job details", text)
	}

	// Everything that can be read over HTTP, as the owner and as a monitor with the token.
	routes, err := a.routes()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if r.Method != http.MethodGet || strings.Contains(r.Path, "{") {
			continue
		}
		short, stop := context.WithTimeout(ctx, 200*time.Millisecond) // of streams
		w := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, r.Path, nil).WithContext(short)
		request.Header.Set("Authorization", "Bearer "+secrets["http.token_file"])
		r.Handler.ServeHTTP(w, request)
		stop()
		seen.Add("API "+r.Path, append([]byte(fmt.Sprint(w.Header())), w.Body.Bytes()...))
	}
	// A reload, of a file whose secrets are wrong, too.
	file("bob", "MARK-no-hash")
	if _, err := a.Reload(ctx); err == nil {
		t.Error("a hash that is none is taken")
	} else {
		seen.Add("reload", []byte(err.Error()))
	}
	secrets["a hash that is none"] = "MARK-no-hash"
	cancel()
	work.Wait()
	seen.Add("log", []byte(log.String()))

	seen.check(t, secrets, "")
	for _, place := range []string{"MQTT cmd/app/", "API ", "log", "job details"} {
		seen.check(t, afar, place)
	}
	for _, place := range []string{diagnosis, "MQTT cmd/app/diagnose"} {
		if got := seen.at(place); !strings.Contains(got, `"failed":10`) || !strings.Contains(got, `"checks":[{`) || !strings.Contains(got, "[secret]") || !strings.Contains(got, `"log":["`) {
			t.Errorf("%s is no diagnosis: %s", place, got)
		}
	}
	for _, place := range []string{"config show", "config show --json", "API /healthz", "API /metrics", "log", "job details", "MQTT cmd/app/1", "MQTT $aws/things/hall/jobs/j0/update"} {
		if len(seen.at(place)) < 10 {
			t.Errorf("nothing was seen in %s", place)
		}
	}
}

// blabbing is a doctor that repeats secrets in all that it reports, as what it looks at may.
func blabbing(t *testing.T, secrets planted, keyFiles ...string) func(context.Context) (doctor.Report, error) {
	t.Helper()
	texts := []string{"token: " + secrets["http.token_file"], "hash " + secretHash}
	for _, key := range []string{"mqtt.password", "things[].mqtt.password", "mqtt.password_file"} {
		texts = append(texts, "login with "+secrets[key]+" refused", fmt.Sprintf("mqtt://u:%s@h: refused", secrets[key]))
	}
	for _, file := range keyFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	report := doctor.Report{}
	for _, s := range texts {
		report = append(report, probe.Result{Part: s, Status: probe.Fail, Found: s, Problem: s, Fix: s})
	}
	return func(context.Context) (doctor.Report, error) { return slices.Clone(report), nil }
}

// nested is a change of one key, as what is sent from afar has it.
func nested(key, value string) string {
	parts := strings.Split(key, ".")
	slices.Reverse(parts)
	text := fmt.Sprintf("%q", value)
	for _, p := range parts {
		switch name, list := strings.CutSuffix(p, "[]"); {
		case name == "things":
			text = fmt.Sprintf(`{"things": {"door": %s}}`, text)
		case list:
			text = fmt.Sprintf("{%q: [%s]}", name, text)
		default:
			text = fmt.Sprintf("{%q: %s}", name, text)
		}
	}
	return text
}
