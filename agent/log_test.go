package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/quietlog"
	"pithings/spool/control"
)

// The last lines of the log can be read, with the part that each is of, and followed as events.
func TestLogOverTheAPI(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
	client := control.NewClient(l.agent.folder.Socket())
	defer client.Close()
	ask := func(q url.Values) []quietlog.Line {
		t.Helper()
		all, err := AskLog(t.Context(), client, q)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	var connected *quietlog.Line
	l.until("a line of the connection", func() bool {
		for _, one := range ask(nil) {
			if one.Message == "connected" {
				connected = &one
			}
		}
		return connected != nil
	})
	if connected.Part != linksName || connected.Level != "INFO" || connected.Time.IsZero() || connected.N == 0 || !strings.Contains(connected.Attrs, "endpoint=mqtt://") {
		t.Errorf("%+v", connected)
	}
	follow := openEvents(t, l.agent, "kinds=log", nil)
	l.agent.things.log.Warn("something", "thing", "TG_MS", "url", "http://u:hunter22@h/x?token=hunter22")
	line := follow.want("log", `"something"`)
	var got quietlog.Line
	if err := json.Unmarshal([]byte(line), &got); err != nil || got.Part != thingsName || got.Level != "WARN" || !strings.Contains(got.Attrs, "thing=TG_MS") || strings.Contains(line, "hunter22") {
		t.Errorf("%s: %v", line, err)
	}
	if all := ask(url.Values{"level": {"warn"}, "part": {thingsName}}); !slices.Contains(all, got) {
		t.Errorf("%+v is not among %+v", got, all)
	}
	if all := ask(url.Values{"after": {fmt.Sprint(got.N - 1)}, "limit": {"1"}}); len(all) != 1 || all[0].N < got.N {
		t.Errorf("%+v", all)
	}
	for _, q := range []url.Values{{"level": {"loud"}}, {"after": {"x"}}, {"limit": {"-1"}}} {
		if _, err := AskLog(t.Context(), client, q); err == nil || !strings.Contains(err.Error(), "say debug") && !strings.Contains(err.Error(), "no number") {
			t.Errorf("%v: %v", q, err)
		}
	}
}

// newLogs are levels of an agent with two services and a thing, whose configuration says info.
func newLogs(t *testing.T) (s *logService, log *slog.Logger) {
	t.Helper()
	log, end := quietlog.Limit(slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(end)
	return &logService{log: log, recent: new(quietlog.Recent), things: func() []string { return []string{"porch", "links"} }, parts: func() []string { return []string{"links", "things"} },
		standard: func() string { return "info" }, set: map[string]*partLevel{}}, log
}

// The level of a part is another until its time is over, it is taken back, or the agent ends.
func TestLogLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newLogs(t)
		debugs := func(part string) bool {
			var n int
			r := new(quietlog.Recent)
			r.Keep(true)
			defer r.Follow(func(quietlog.Line) { n++ })()
			quietlog.Part(r.Below(log), part).Debug("x", "thing", part)
			return n > 0
		}
		set := func(part, level string, span time.Duration) []LogLevel {
			t.Helper()
			all, err := s.change(&SetLogLevel{part, level, conf.Duration{Duration: span}})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		of := func(all []LogLevel, part string) LogLevel {
			return all[slices.IndexFunc(all, func(l LogLevel) bool { return l.Part == part })]
		}
		if all := s.levels(); len(all) != 5 || of(all, "porch") != (LogLevel{Part: "porch", Level: "info"}) || debugs("links") {
			t.Errorf("%+v", all)
		}
		if got := of(set("links", "debug", 10*time.Minute), "links"); got.Level != "debug" || !got.Set || time.Until(got.Until).Round(time.Minute) != 10*time.Minute || !debugs("links") || debugs("things") {
			t.Errorf("%+v", got)
		}
		time.Sleep(5 * time.Minute)
		set("links", "debug", 10*time.Minute) // from now on
		time.Sleep(9 * time.Minute)
		if !debugs("links") {
			t.Error("the first end counts")
		}
		time.Sleep(2 * time.Minute)
		if debugs("links") || of(s.levels(), "links").Set {
			t.Error("it has no end")
		}
		set("porch", "DEBUG", 0)
		if all := set("all", "warn", 0); of(all, "things").Level != "warn" || of(all, "things").Set || of(all, "porch").Level != "debug" {
			t.Errorf("%+v", all)
		}
		time.Sleep(1000 * time.Hour)
		if !debugs("porch") {
			t.Error("one without an end has one")
		}
		if got := of(set("porch", "", 0), "porch"); got.Set || got.Level != "warn" || debugs("porch") {
			t.Errorf("%+v", got)
		}
		for want, bad := range map[string]SetLogLevel{
			"there are all, agent, links, things, porch": {Part: "nonsense", Level: "debug"},
			"say debug, info, warn or error":             {Part: "links", Level: "loud"},
			"from 1s":                                    {Part: "links", Level: "debug", For: conf.Duration{Duration: time.Millisecond}},
			"to 720h":                                    {Part: "links", Level: "debug", For: conf.Duration{Duration: 1000 * time.Hour}},
		} {
			if _, err := s.change(&bad); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), http.StatusText(http.StatusBadRequest)) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		set("things", "debug", time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := s.Run(ctx); err != nil || debugs("things") || len(s.set) != 0 {
			t.Errorf("%v, %d levels stay", err, len(s.set))
		}
	})
}

// Over HTTP, look sees the levels and act sets them.
func TestLogLevelsOverHTTP(t *testing.T) {
	a := newAgent(t, t.TempDir())
	runAgent(t, a)
	client := control.NewClient(a.folder.Socket())
	defer client.Close()
	all, err := AskLogLevels(t.Context(), client, &SetLogLevel{Part: "b", Level: "debug"})
	if err != nil || !slices.Contains(all, LogLevel{Part: "b", Level: "debug", Set: true}) || !slices.ContainsFunc(all, func(l LogLevel) bool { return l.Part == gatewayName }) {
		t.Errorf("%+v, %v", all, err)
	}
	answer, err := http.Post("http://"+a.WebAddr()+logLevelsPath, "application/json", strings.NewReader(`{"part": "b"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a program of this machine without a login: %s", answer.Status)
	}
}

// No secret of the configuration is in what is kept of the log, at any level, nor one that a
// reload has replaced.
func TestLogHasNoSecrets(t *testing.T) {
	var d diagnosis
	var c config.Config // nothing is switched on
	c.MQTT.Password = conf.NewSecret("first-secret")
	d.watch(&c)
	log := d.recent.Below(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})))
	say := func() {
		log.Debug("login with first-secret and second-secret", "err", fmt.Errorf("refused: %q", "first-secret"), "token", "abcdef", "key", "-----BEGIN PRIVATE KEY-----\nMIIx\n-----END PRIVATE KEY-----")
	}
	say()
	var next config.Config
	next.MQTT.Password = conf.NewSecret("second-secret")
	d.watch(&next)
	say()
	text := fmt.Sprint(d.recent.Lines())
	for _, secret := range []string{"first-secret", "abcdef", "MIIx"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in %s", secret, text)
		}
	}
	if strings.Count(text, "second-secret") != 1 { // before it was one
		t.Error(text)
	}
}
