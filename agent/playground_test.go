package agent

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/agent/web"
	"pithings/api"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/spool/control"
)

const playing = "http: {listen: \"127.0.0.1:0\", playground: true}\nbroker: {listen: \"127.0.0.1:0\"}\nawsiot: {defender: {enabled: true}}\n" + twoThings

// The playground's routes act on a Pi as far as it has a counterpart, and say why where it has none.
func TestPlayground(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(file, []byte(playing), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, mock.Options{}, strings.Replace(playing, "broker: {listen: \"127.0.0.1:0\"}\n", "", 1))
	l.agent.o.Load = func(over config.Over) (*config.Config, []conf.Warning, error) {
		return config.LoadWith(file, nil, config.With{Over: over})
	}
	all, err := l.agent.routes()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, r := range all {
		mux.Handle(r.Pattern(), r.Handler)
		acts := regexp.MustCompile("/(config|actions|press_on|press_off)$").MatchString(r.Path)
		if strings.HasPrefix(r.Path, playPrefix) && (r.Changes != acts || acts != (r.For == api.Act) || r.For < api.Look) {
			t.Errorf("%s is for %v, changes: %v", r.Pattern(), r.For, r.Changes)
		}
	}
	ask := func(method, path, form, want string) {
		t.Helper()
		req := httptest.NewRequest(method, playPrefix+path, strings.NewReader(form))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		if text := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(text, want) || strings.Contains(text, "PRIVATE") {
			t.Errorf("%s %s %s: %d %s, want %s", method, path, form, w.Code, text, want)
		}
	}
	id := l.agent.links.shared.ClientID()
	ask("GET", "/name", "", `"name":"`+id+`"`)
	ask("GET", "/", "", `"connected":true`)
	ask("GET", "/endpoint", "", l.agent.Endpoint())
	ask("GET", "/cert", "", "shows no certificate")
	ask("GET", "/shadow", "", "awsiot.shadow.enabled")
	ask("GET", "/help", "", "/press_on")
	ask("GET", "/config?time=7", "", `"ok":true`)
	if got := l.agent.current().Values(); !strings.Contains(valueOf(got, "bme680", "interval"), "7s") {
		t.Errorf("the interval is %s", valueOf(got, "bme680", "interval"))
	}
	ask("GET", "/config?ddm_sr=600", "", `"ok":true`)
	if got := l.agent.current().AWSIoT.Defender.Interval.Duration; got != 10*time.Minute {
		t.Errorf("reports every %v", got)
	}
	ask("GET", "/config?ddm_sr=10", "", `"ok":false`)
	ask("GET", "/config?topic=a/b", "", "what its things measure")
	ask("GET", "/config?time=5&payload=%7B%7D", "", "what its things measure")
	ask("GET", "/config?clean", "", "says goodbye when it ends")
	ask("GET", "/press_on", "", "no switch")
	l.until("the connection", l.agent.links.shared.Connected)
	before := l.agent.links.shared.Stats().Connects
	ask("GET", "/config?reconnect", "", `"ok":true`)
	l.until("another session", func() bool {
		return l.agent.links.shared.Stats().Connects > before && l.agent.links.shared.Connected()
	})
	for action, topic := range map[string]string{"tamper": "cmd/" + id + "/tamper", "large": "dt/ac/company1/area1/" + id + "/temp", "autherr": "invalid-topic-for-error"} {
		ask("POST", "/actions", "action="+action, `"ok":true`)
		l.message(topic)
	}
	ask("POST", "/actions", "action=clean", "says goodbye when it ends")
	ask("GET", "/log", "", `"did":"config","error"`)
	for range playEntries {
		ask("GET", "/press_on", "", "no switch")
	}
	for _, s := range l.agent.services {
		if p, ok := s.Service.(*playgrounds); ok && len(p.log) != playEntries {
			t.Errorf("%d entries in the log", len(p.log))
		}
	}
}

// Over TCP a GET that changes something is let in as a POST is: by a token, and not by the cookie alone,
// which a link or a picture of another page would do with. Its own page has forms that work by a cookie.
func TestPlaygroundOverTCP(t *testing.T) {
	a := everything(t)
	all, err := a.routes()
	if err != nil {
		t.Fatal(err)
	}
	g := guard(t, new(web.Server).Routes(), web.Rules{})
	for i, r := range teapot(all) {
		switch {
		case r.Path == playPrefix+"/{$}": // the page with the forms
			g.Serve(all[i : i+1])
		case strings.HasPrefix(r.Path, playPrefix):
			g.Serve([]api.Route{r})
		}
	}
	cookie, csrf := g.login(t)
	const form, browser, look = "application/x-www-form-urlencoded", "Mozilla/5.0", "text/html"
	for _, tc := range []struct {
		name, method, path, body string
		headers                  []string
		want                     int
	}{
		{"a token", "GET", "/config?time=5", "", []string{"Authorization", "Bearer " + g.act}, 200},
		{"a token that looks", "GET", "/config?time=5", "", []string{"Authorization", "Bearer " + g.look}, 403},
		{"a token that looks, to look", "GET", "/name", "", []string{"Authorization", "Bearer " + g.look}, 200},
		{"no one", "GET", "/config?time=5", "", nil, 401},
		{"no one, to look", "GET", "/name", "", nil, 401},
		{"a cookie", "GET", "/config?time=5", "", []string{"Cookie", cookie}, 403},
		{"a cookie, to look", "GET", "/", "", []string{"Cookie", cookie}, 200},
		{"a cookie and the secret", "GET", "/config?time=5", "", []string{"Cookie", cookie, "X-CSRF-Token", csrf}, 200},
		{"a cookie and the secret in the query", "GET", "/config?time=5&csrf=" + csrf, "", []string{"Cookie", cookie}, 403},
		{"a link of another site", "GET", "/config?time=5", "", []string{"Cookie", cookie, "X-CSRF-Token", csrf, "Sec-Fetch-Site", "cross-site"}, 403},
		{"a browser that does not say for which page", "GET", "/press_on", "", []string{"Authorization", "Bearer " + g.act, "User-Agent", browser}, 403},
		{"one that says", "GET", "/press_on", "", []string{"Authorization", "Bearer " + g.act, "User-Agent", browser, "Sec-Fetch-Site", "none"}, 200},
		{"HEAD", "HEAD", "/press_on", "", []string{"Authorization", "Bearer " + g.look}, 403},
		{"a form", "POST", "/actions", "action=clean", []string{"Cookie", cookie, "Content-Type", form}, 403},
		{"a form with the secret", "POST", "/actions", "action=clean&csrf=" + csrf, []string{"Cookie", cookie, "Content-Type", form}, 200},
		{"a form with another secret", "POST", "/actions", "action=clean&csrf=x", []string{"Cookie", cookie, "Content-Type", form}, 403},
		{"a form with the secret in the query", "POST", "/actions?csrf=" + csrf, "action=clean", []string{"Cookie", cookie, "Content-Type", form}, 403},
		{"a form with the secret of another site", "POST", "/actions", "action=clean&csrf=" + csrf, []string{"Cookie", cookie, "Content-Type", form, "Origin", "http://evil.example"}, 403},
		{"a form that is too long", "POST", "/actions", "x=" + strings.Repeat("x", 65<<10) + "&csrf=" + csrf, []string{"Cookie", cookie, "Content-Type", form}, 403},
	} {
		req := plainRequest(tc.method, playPrefix+tc.path, tc.body)
		for i := 0; i < len(tc.headers); i += 2 {
			req.Header.Set(tc.headers[i], tc.headers[i+1])
		}
		if got := g.do(req); got.Code != tc.want && !(tc.want == 200 && got.Code == http.StatusTeapot) {
			t.Errorf("%s: %d %s, want %d", tc.name, got.Code, got.Body, tc.want)
		}
	}
	req := plainRequest("GET", playPrefix+"/", "")
	req.Header.Set("Cookie", cookie)
	req.Header.Set("Accept", look)
	page := g.do(req).Body.String()
	if n := strings.Count(page, `<input type="hidden" name="csrf" value="`+csrf+`">`); n != 2 {
		t.Errorf("%d forms of the page have the secret:\n%s", n, page)
	}
	req = plainRequest("GET", playPrefix+"/", "")
	req.Header.Set("Authorization", "Bearer "+g.look)
	req.Header.Set("Accept", look)
	if page := g.do(req).Body.String(); strings.Contains(page, "csrf") {
		t.Errorf("a page without a session has a secret:\n%s", page)
	}
}

// valueOf is the value of a key of a thing.
func valueOf(all []conf.Value, thing, key string) string {
	for _, v := range all {
		if strings.HasPrefix(v.Path, "things[") && strings.HasSuffix(v.Path, "."+key) {
			return string(v.Value)
		}
	}
	return ""
}

// Switched off, there is no route.
func TestNoPlayground(t *testing.T) {
	l := newLab(t, mock.Options{}, twoThings)
	c := control.NewClient(l.agent.folder.Socket())
	defer c.Close()
	if body, err := c.Get(t.Context(), playPrefix+"/name"); err == nil {
		body.Close()
		t.Error("it is served")
	}
}

// A certificate is shown, and the key beside it in the same file is not.
func TestCertificateWithoutKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.pem")
	const cert, key = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
	if err := os.WriteFile(file, []byte(key+cert+"text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := certificateOf(file); err != nil || got != cert {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := certificateOf(file); err == nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}
