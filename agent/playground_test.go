package agent

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
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
		if strings.HasPrefix(r.Path, playPrefix) && (r.For.TCP() || strings.Contains(r.Path, "/config") && r.For != api.Owner) {
			t.Errorf("%s is for %v", r.Pattern(), r.For)
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
