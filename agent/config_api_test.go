package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/agent/access"
	"pithings/agent/config"
	"pithings/agent/configure"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/broker/passwd"
	"pithings/spool/accepted"
)

// elsewhere is a client of another host with a token.
type elsewhere struct {
	t     *testing.T
	of    *Agent
	token string
	seen  strings.Builder // all answers
}

// from is such a client of an agent, whose web server gets a password and the token phone.
func from(t *testing.T, a *Agent, role access.Role) *elsewhere {
	t.Helper()
	hash, err := access.Hash(testPassword)
	if err == nil && !a.web.door.PasswordSet() {
		err = a.web.door.SetPassword(hash)
	}
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.web.door.AddToken("phone-"+role.String(), role, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &elsewhere{t: t, of: a, token: token}
}

// do makes a request and reads its answer, which is v or a problem.
func (e *elsewhere) do(method, path string, in, v any) (status int, text string) {
	e.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		e.t.Fatal(err)
	}
	req := httptest.NewRequest(method, path, strings.NewReader(string(body)))
	req.RemoteAddr, req.Host = "192.0.2.7:5000", "pi.example:8080"
	req.Header.Set("Authorization", "Bearer "+e.token)
	w := httptest.NewRecorder()
	e.of.web.ServeHTTP(w, req)
	e.seen.WriteString(w.Body.String())
	if v != nil && w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
			e.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w.Code, w.Body.String()
}

func (e *elsewhere) config() (c configure.Configuration) {
	e.t.Helper()
	if status, text := e.do("GET", configure.Path, nil, &c); status != http.StatusOK {
		e.t.Fatalf("%d %s", status, text)
	}
	return c
}

// value is a value of the effective configuration.
func (e *elsewhere) value(name string) config.Setting {
	e.t.Helper()
	for _, v := range e.config().Values {
		if v.Name == name {
			return v
		}
	}
	e.t.Fatalf("there is no %s", name)
	return config.Setting{}
}

func (e *elsewhere) check(changes settings) (c configure.Check) {
	e.t.Helper()
	if status, text := e.do("POST", configure.Path+"/check", configure.Change{Changes: changes}, &c); status != http.StatusOK {
		e.t.Fatalf("%d %s", status, text)
	}
	return c
}

// change changes the configuration on the state in which it is.
func (e *elsewhere) change(changes settings) (kept configure.Kept, status int, text string) {
	e.t.Helper()
	status, text = e.do("POST", configure.Path, configure.Change{Base: e.config().Base, Changes: changes}, &kept)
	return kept, status, text
}

// becomes waits for what becomes of a revision.
func (e *elsewhere) becomes(l *lab, revision int, state string) (is configure.Revision) {
	e.t.Helper()
	l.until(fmt.Sprintf("revision %d: %s", revision, state), func() bool {
		var all []configure.Revision
		e.do("GET", configure.RevisionsPath, nil, &all)
		i := slices.IndexFunc(all, func(r configure.Revision) bool { return r.Revision == revision })
		if i >= 0 {
			is = all[i]
		}
		return is.State == state
	})
	return is
}

// withUser is a broker with one user.
func withUser(t *testing.T, name, password string) *broker.Broker {
	t.Helper()
	hash, err := passwd.New(password)
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.Start("127.0.0.1:0", broker.Options{Users: []broker.User{{Name: name, Hash: hash}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// configurable is a lab whose configuration is a file, from its start on.
func configurable(t *testing.T, text string) (l *lab, file string) {
	t.Helper()
	l, file = accepting(t, text)
	l.stop()
	l.start(text)
	return l, file
}

// What may be changed from afar is: shown with its configure.Difference, kept, tried and taken back.
func TestConfigOverHTTP(t *testing.T) {
	t.Parallel()
	l, _ := configurable(t, twoThings)
	e := from(t, l.agent, access.Act)
	if v := e.value("things.bme680.interval"); string(v.Value) != `"100ms"` || v.Change != conf.Afar {
		t.Errorf("%+v", v)
	}
	base := e.config().Base
	changes := settings{"log": settings{"level": "debug"}, "things": settings{"bme680": settings{"interval": "200ms"}}, "pictures": settings{"max_count": 7.0}}
	would := e.check(changes)
	want := `[{"key":"pictures.max_count","before":100,"after":7},{"key":"log.level","before":"info","after":"debug"},{"key":"things.bme680.interval","before":"100ms","after":"200ms"}]`
	if got, _ := json.Marshal(would.Differences); string(got) != want || !would.OK || !slices.Equal(would.Restart, []string{"pictures.max_count"}) {
		t.Errorf("%s, %+v", got, would)
	}
	if r, err := accepted.Newest(l.folder); r != nil || err != nil || l.agent.current().Log.Level != "info" {
		t.Errorf("a check has changed something: %+v, %v", r, err)
	}
	var kept configure.Kept
	if status, text := e.do("POST", configure.Path, configure.Change{Base: base, Changes: changes}, &kept); status != http.StatusOK || kept.Revision != 1 {
		t.Fatalf("%d %s", status, text)
	}
	is := e.becomes(l, 1, configure.Accepted)
	if is.From != "token phone-act" || !is.InForce || !slices.Equal(is.Keys, []string{"log.level", "pictures.max_count", "things.bme680.interval"}) {
		t.Errorf("%+v", is)
	}
	l.until("the level", func() bool { return l.agent.current().Log.Level == "debug" })
	if v := e.value("log.level"); v.From != config.FromAfar || !strings.Contains(v.Source, "000001.json") {
		t.Errorf("%+v", v)
	}

	// Who has not seen that comes too late, also with a revert.
	for path, in := range map[string]any{configure.Path: configure.Change{Base: base, Changes: settings{"log": settings{"level": "warn"}}}, configure.RevertPath: configure.Revert{Base: base}} {
		if status, text := e.do("POST", path, in, nil); status != http.StatusConflict || !strings.Contains(text, "changed meanwhile") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, text := e.do("POST", configure.Path, configure.Change{Changes: changes}, nil); status != http.StatusBadRequest {
		t.Errorf("without a base: %d %s", status, text)
	}
	// The base of the answer is that of the next change; problems have their keys.
	var next configure.Kept
	if status, text := e.do("POST", configure.Path, configure.Change{Base: kept.Base, Changes: settings{"mqtt": settings{"window": 3.0}}}, &next); status != http.StatusOK || next.Revision != 2 {
		t.Fatalf("%d %s", status, text)
	}
	e.becomes(l, 2, configure.Accepted)
	bad := e.check(settings{"log": settings{"level": "loud"}, "mqtt": settings{"windw": 3.0}, "things": settings{"bme680": settings{"interval": "-1s", "bus": "2"}}, "http": settings{"listen": ":80"}})
	var keys []string
	for _, p := range bad.Problems {
		keys = append(keys, p.Key)
	}
	slices.Sort(keys)
	if bad.OK || !slices.Equal(keys, []string{"http.listen", "log.level", "mqtt.windw", "things.bme680.bus", "things.bme680.interval"}) {
		t.Errorf("%v: %+v", keys, bad)
	}
	if _, status, text := e.change(settings{"log": settings{"level": "loud"}}); status != http.StatusUnprocessableEntity || !strings.Contains(text, "loud") {
		t.Errorf("%d %s", status, text)
	}

	// A way back.
	if status, text := e.do("POST", configure.RevertPath, configure.Revert{Base: e.config().Base, Revision: 77}, nil); status != http.StatusNotFound {
		t.Errorf("%d %s", status, text)
	}
	if status, text := e.do("POST", configure.RevertPath, configure.Revert{Base: e.config().Base, Revision: 1}, &kept); status != http.StatusOK || kept.Revision != 3 {
		t.Fatalf("%d %s", status, text)
	}
	e.becomes(l, 3, configure.Accepted)
	l.until("the window before", func() bool { return l.agent.current().MQTT.Window == 20 })
	if c := l.agent.current(); c.Log.Level != "debug" {
		t.Errorf("the level is %s", c.Log.Level)
	}
	if status, text := e.do("POST", configure.RevertPath, configure.Revert{Base: e.config().Base}, &kept); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	l.until("the file alone", func() bool { return l.agent.current().Log.Level == "info" })
}

// A broker comes with its secret, or not at all; what does not connect is replaced by the old broker
// with the old secret.
func TestBrokerFromAfar(t *testing.T) {
	t.Parallel()
	const first, second = "MARK-first-password", "MARK-second-pass\"word"
	const oneThing = "things: [{name: bme680, type: environment, interval: 24h}]\n" // no messages wait when a connection ends
	old, next := withUser(t, "ann", first), withUser(t, "bob", second)
	l, file := configurable(t, oneThing)
	text := "broker: {listen: \"127.0.0.1:0\"}\nhttp: {listen: \"127.0.0.1:0\"}\nmqtt: {endpoint: \"" + old.Endpoint() + "\", username: ann, password: " + first + "}\n" + oneThing
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.agent.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	online := func(endpoint, user, password string) {
		t.Helper()
		l.until("online at "+endpoint, func() bool {
			m := l.agent.current().MQTT
			l.agent.changing.RLock()
			defer l.agent.changing.RUnlock()
			return m.Endpoint == endpoint && m.Username == user && m.Password.Reveal() == password && l.agent.links.of("").Connected()
		})
	}
	online(old.Endpoint(), "ann", first)
	e := from(t, l.agent, access.Act)
	if v := e.value("mqtt.password"); string(v.Value) != `"[set]"` || v.Change != conf.WithSecret {
		t.Errorf("%+v", v)
	}

	// Without the secret, with its mask, and by other keys.
	host := strings.TrimPrefix(old.Endpoint(), "mqtt://")
	for name, changes := range map[string]settings{
		"no secret":           {"mqtt": settings{"endpoint": next.Endpoint()}},
		"another port":        {"mqtt": settings{"endpoint": "mqtt://" + host[:strings.LastIndexByte(host, ':')] + ":9"}},
		"another spelling":    {"mqtt": settings{"endpoint": "MQTT://" + host}},
		"the user":            {"mqtt": settings{"username": "bob"}},
		"the name in TLS":     {"mqtt": settings{"server_name": "evil.example"}},
		"the mask":            {"mqtt": settings{"endpoint": next.Endpoint(), "password": "[set]"}},
		"a form's mask":       {"mqtt": settings{"endpoint": next.Endpoint(), "password": "********"}},
		"a form's dots":       {"mqtt": settings{"password": "••••"}},
		"null for the secret": {"mqtt": settings{"endpoint": next.Endpoint(), "password": nil}},
		"a list":              {"mqtt": settings{"endpoint": next.Endpoint(), "password": []any{"x"}}},
		"an object":           {"mqtt": settings{"endpoint": settings{"x": "y"}, "password": "x"}},
		"authorities":         {"mqtt": settings{"endpoint": next.Endpoint(), "password": second, "ca": "/tmp/evil.pem"}},
		"a password's file":   {"mqtt": settings{"password_file": "/etc/shadow"}},
		"in the URL":          {"mqtt": settings{"endpoint": "mqtt://u:" + second + "@127.0.0.1", "password": second}},
		"the files' own key":  {"connections": settings{"": settings{"endpoint": next.Endpoint()}}},
		"a thing's":           {"things": settings{"bme680": settings{"mqtt": settings{"endpoint": next.Endpoint(), "password": second}}}},
		"no user":             {"mqtt": settings{"endpoint": next.Endpoint(), "username": "", "password": second}},
	} {
		if c := e.check(changes); c.OK || len(c.Problems) == 0 {
			t.Errorf("%s: %+v", name, c)
		}
		if _, status, text := e.change(changes); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if r, err := accepted.Newest(l.folder); r != nil || err != nil {
		t.Fatalf("kept: %+v, %v", r, err)
	}

	to := settings{"mqtt": settings{"endpoint": next.Endpoint(), "username": "bob", "password": second}}
	c := e.check(to)
	got, _ := json.Marshal(c.Differences)
	if want := fmt.Sprintf(`[{"key":"mqtt.endpoint","before":%q,"after":%q},{"key":"mqtt.username","before":"ann","after":"bob"},{"key":"mqtt.password","before":"[set]","after":"[set]","secret":true}]`, old.Endpoint(), next.Endpoint()); string(got) != want {
		t.Errorf("%s, want %s: %+v", got, want, c)
	}
	kept, status, answer := e.change(to)
	if status != http.StatusOK {
		t.Fatal(answer)
	}
	online(next.Endpoint(), "bob", second)
	e.becomes(l, kept.Revision, configure.Accepted)
	if v := e.value("mqtt.endpoint"); v.From != config.FromAfar || v.Change != conf.WithSecret {
		t.Errorf("%+v", v)
	}
	// In two steps: the kept secret to the address that is in the file, and on to another.
	for name, changes := range map[string]settings{
		"back to the file's address": {"mqtt": settings{"endpoint": nil}},
		"the file's secret":          {"mqtt": settings{"password": nil, "endpoint": next.Endpoint()}},
		"on":                         {"mqtt": settings{"endpoint": "mqtt://127.0.0.1:9"}},
	} {
		if _, status, text := e.change(changes); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	// Other keys stand beside it.
	if kept, status, answer = e.change(settings{"mqtt": settings{"window": 9.0}}); status != http.StatusOK {
		t.Fatal(answer)
	}
	e.becomes(l, kept.Revision, configure.Accepted)
	online(next.Endpoint(), "bob", second)

	// A wrong secret, or a broker that is not there: the one before comes back, with its secret.
	l.agent.o.TrialTime = 200 * time.Millisecond
	for _, changes := range []settings{
		{"mqtt": settings{"endpoint": nowhere, "username": "bob", "password": second}},
		{"mqtt": settings{"password": "MARK-wrong"}},
	} {
		if kept, status, answer = e.change(changes); status != http.StatusOK {
			t.Fatal(answer)
		}
		if is := e.becomes(l, kept.Revision, configure.RolledBack); !strings.Contains(is.Reason, "no connection with revision") {
			t.Errorf("%+v", is)
		}
		online(next.Endpoint(), "bob", second)
	}
	l.agent.o.TrialTime = 0

	// The way back to the file, and to the broker that was accepted: each with its own secret.
	for _, revision := range []int{0, 1} {
		if status, answer := e.do("POST", configure.RevertPath, configure.Revert{Base: e.config().Base, Revision: revision}, &kept); status != http.StatusOK {
			t.Fatal(answer)
		}
		if revision == 0 {
			online(old.Endpoint(), "ann", first)
		} else {
			online(next.Endpoint(), "bob", second)
		}
		e.becomes(l, kept.Revision, configure.Accepted)
	}
	// Null takes it back, and so does a change of the file.
	if kept, status, answer = e.change(settings{"mqtt": settings{"password": nil, "endpoint": nil}}); status != http.StatusOK {
		t.Fatal(answer)
	}
	online(old.Endpoint(), "ann", first)
	e.becomes(l, kept.Revision, configure.Accepted)

	info, err := os.Stat(accepted.File(l.folder, 1))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	r, err := accepted.All(l.folder)
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range map[string]string{"the answers": e.seen.String(), "the log": l.log.String(), "a revision as text": fmt.Sprintf("%v %+v %#v", r, r, r)} {
		for _, secret := range []string{"MARK-", "first-password", "second-pass"} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s have a secret: …%s", place, text[max(0, i-200):i])
			}
		}
	}
}

// Every key of the schema is allowed or refused as it is marked.
func TestEveryKeyOverHTTPAsMarked(t *testing.T) {
	t.Parallel()
	load := everyKind(t)
	c, _, err := load(func(*config.Config, []byte) (*config.Layer, []conf.Warning) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, mock.Options{}, twoThings)
	l.stop()
	l.load = load
	l.start(twoThings)
	e := from(t, l.agent, access.Act)
	l.agent.mu.Lock()
	l.agent.config = c
	l.agent.mu.Unlock()
	counts, base := map[conf.Change]int{}, e.config().Base
	try := func(leaf conf.Leaf, within []string) {
		t.Helper()
		parts := append(slices.Clone(within), strings.Split(leaf.Path, ".")...)
		var value any = "x"
		for _, part := range slices.Backward(parts) {
			name, list := strings.CutSuffix(part, "[]")
			if list {
				value = []any{value}
			}
			value = map[string]any{name: value}
		}
		change := leaf.Change()
		name := strings.ReplaceAll(strings.Join(parts, "."), "[]", "")
		whole, _, _ := strings.Cut(strings.Join(parts, "."), "[]")
		if strings.Contains(leaf.Path, "[]") || len(within) > 0 && strings.HasPrefix(leaf.Path, "mqtt.") || whole == "flows" {
			// A list, or a connection of a thing, is changed as a whole.
			keys := c.OwnKeys()
			key := whole
			if len(within) > 0 {
				keys, key = c.Thing(within[1]).Keys(), strings.TrimPrefix(whole, strings.Join(within, ".")+".")
			}
			if change, _ = keys.Key(key); change != conf.Afar || whole == "flows" {
				change = conf.Local
			}
		}
		counts[change]++
		in, path, want := configure.Change{Base: base, Changes: value.(map[string]any)}, configure.Path, http.StatusUnprocessableEntity
		if allowed := change == conf.Afar || leaf.Key == "password"; allowed { // a text may be a right value
			path, want = configure.Path+"/check", http.StatusOK
		}
		status, text := e.do("POST", path, in, nil)
		refused := strings.Contains(text, "machine only")
		secret := strings.Contains(text, "together with the password only")
		if status != want || refused != (change == conf.Local) || secret != (change == conf.WithSecret && leaf.Key != "password") {
			t.Errorf("%s is marked %s, and is answered %d %s", name, change, status, text)
		}
	}
	for _, leaf := range conf.Leaves(new(config.Config)) {
		if !strings.HasPrefix(leaf.Path, "things[]") {
			try(leaf, nil)
		}
	}
	for i := range c.Things {
		for _, leaf := range conf.Leaves(&c.Things[i]) {
			if i == 0 || !strings.HasPrefix(leaf.Path, "mqtt.") { // which are the same of all
				try(leaf, []string{"things", c.Things[i].Name})
			}
		}
	}
	if counts[conf.Local] < 100 || counts[conf.Afar] < 100 || counts[conf.WithSecret] != 4 {
		t.Errorf("tried: %v", counts)
	}
	if r, err := accepted.Newest(l.folder); r != nil || err != nil {
		t.Errorf("something was kept: %+v, %v", r, err)
	}
}

// Who may look sees the configuration and its schema, and changes nothing.
func TestLookingAtTheConfiguration(t *testing.T) {
	t.Parallel()
	l := newLab(t, mock.Options{}, "gateway: {params: {api_token: MARK-token, site: hall}}\n"+twoThings)
	e := from(t, l.agent, access.Look)
	c := e.config()
	if c.Base != "" || !strings.Contains(c.Why, "no configuration file") || slices.ContainsFunc(c.Values, func(v config.Setting) bool { return v.Change != conf.Local }) {
		t.Errorf("without a file: %q, %q", c.Base, c.Why)
	}
	if v := e.value("gateway.params"); string(v.Value) != `{"api_token":"[set]","site":"hall"}` {
		t.Errorf("%s", v.Value)
	}
	status, text := e.do("GET", configure.Path+"/schema", nil, nil)
	if status != http.StatusOK || !strings.Contains(text, `"x-change": "with_secret"`) || !strings.Contains(text, `"x-secret": "password"`) || !strings.Contains(text, `"x-minimum": "100ms"`) {
		t.Errorf("%d %.200s", status, text)
	}
	for _, path := range []string{configure.Path, configure.Path + "/check", configure.RevertPath} {
		if status, text := e.do("POST", path, configure.Change{}, nil); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	act := from(t, l.agent, access.Act)
	for _, path := range []string{configure.Path, configure.Path + "/check", configure.RevertPath} {
		if status, text := act.do("POST", path, configure.Change{Base: "0-x", Changes: settings{}}, nil); status != http.StatusConflict || !strings.Contains(text, "no configuration file") {
			t.Errorf("without a file: %s: %d %s", path, status, text)
		}
	}
}

// A process that ends in the middle of a trial leaves it to the next one: the old broker with the
// old secret comes back.
func TestBrokerTrialOverARestart(t *testing.T) {
	t.Parallel()
	const secret = "MARK-password"
	const oneThing = "things: [{name: bme680, type: environment, interval: 24h}]\n"
	old := withUser(t, "ann", secret)
	l, file := configurable(t, oneThing)
	text := "mqtt: {endpoint: \"" + old.Endpoint() + "\", username: ann, password: " + secret + "}\n" + oneThing
	if err := os.WriteFile(file, []byte("broker: {listen: \"127.0.0.1:0\"}\nhttp: {listen: \"127.0.0.1:0\"}\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.agent.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.agent.o.TrialTime = time.Hour
	e := from(t, l.agent, access.Act)
	if _, status, answer := e.change(settings{"mqtt": settings{"endpoint": nowhere, "username": "bob", "password": "MARK-other"}}); status != http.StatusOK {
		t.Fatal(answer)
	}
	l.until("the new broker", func() bool { return l.agent.current().MQTT.Endpoint == nowhere })
	// A reload while it runs changes nothing.
	if _, err := l.agent.Reload(t.Context()); err != nil || e.config().Trial != 1 {
		t.Errorf("%v, trial %d", err, e.config().Trial)
	}
	l.stop()
	l.trial = 200 * time.Millisecond
	c, _, err := l.load(config.Accepted(func(*config.Config) string { return l.folder }))
	if err != nil || c.MQTT.Endpoint != nowhere {
		t.Fatal(err, c.MQTT.Endpoint)
	}
	l.start("mqtt: {endpoint: \"" + nowhere + "\"}\n" + oneThing)
	l.until("the old broker", func() bool {
		m := l.agent.current().MQTT
		return m.Endpoint == old.Endpoint() && m.Password.Reveal() == secret
	})
	l.until("a connection", func() bool {
		l.agent.changing.RLock()
		defer l.agent.changing.RUnlock()
		return l.agent.links.of("").Connected()
	})
	if files, err := filepath.Glob(filepath.Join(accepted.Folder(l.folder), "*")); err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}
